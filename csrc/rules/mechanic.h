// Mechanic (Cutkosky et al. 2023) of gradient descent, whose way D is; S is the sum of the scales
// s:
//   h = <g + weight_decay S norm(g) / (norm(p) + eps) p, D>
//   D = D - lr g
//   for each of the memories b = 0.9, 0.99, ...:
//     m = max(b m, |h|),  v = b^2 v + h^2,  r = max(b r - s h, 0)
//     s = (s_init m / memories + r) / (sqrt(v) + eps)
//   p = p0 + S D
// h is taken apart into products of g and of p with D. The sums are of what the tensors hold before
// the step, so one pass reads and a second one writes.
#pragma once

#include "rule.h"

namespace truestep::rules::mechanic {

constexpr int kMemories = 8;

enum class Way { kKept, kRecomputed };
// By their place in the reference's lists.
enum Bet { kPositive, kOwed };
enum Form { kDirect, kAdded };
enum Limit { kNone, kLastSize };

template <Way kWay = Way::kKept>
struct Mechanic : Elementwise {
  static constexpr const char* kHyper = "lr weight_decay eps s_init memories bet form limit";
  static constexpr const char* kStates = kWay == Way::kKept ? "p0 way" : "p0";
  static constexpr const char* kNumbers =
      "m[0] m[1] m[2] m[3] m[4] m[5] m[6] m[7] "
      "v[0] v[1] v[2] v[3] v[4] v[5] v[6] v[7] "
      "r[0] r[1] r[2] r[3] r[4] r[5] r[6] r[7] "
      "s[0] s[1] s[2] s[3] s[4] s[5] s[6] s[7]";
  static constexpr int kSums = 4;  // g^2, p^2, g D, p D
  static constexpr bool kBegins = true;
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, weight_decay, eps, s_init, memories, bet, form, limit;
  };
  struct Constants {
    float lr;
    float divisor;  // of the way from p0, where that is recomputed
    float scale;    // S after the step
    bool starts, added;
  };

  TRUESTEP_HD Constants constants(const Hyper& h, double t) {
    Constants c = {};
    c.lr = rounded(h.lr);
    c.starts = t == 1.0;
    c.added = h.form == kAdded;
    return c;
  }

  TRUESTEP_HD double total(const Hyper& h, const double* scales) {
    double sum = 0.0;
    for (int k = 0; k < kMemories && k < h.memories; ++k) sum += scales[k];
    return sum;
  }

  TRUESTEP_HD void begin(const Hyper& h, double, const double* numbers, Constants& c) {
    c.divisor = rounded(total(h, numbers + 3 * kMemories) + h.eps);
  }

  // D before the step, of a p0 that is the first p.
  TRUESTEP_HD float recomputed(const Constants& c, float p, float p0) {
    return (p - (c.starts ? p : p0)) / c.divisor;
  }

  TRUESTEP_HD void sums(const Constants& c, float g, float p, float p0, double (&addend)[kSums]) {
    sums(c, g, p, p0, recomputed(c, p, p0), addend);
  }

  TRUESTEP_HD void sums(const Constants&, float g, float p, float, float way,
                        double (&addend)[kSums]) {
    addend[0] = exact_product(g, g);
    addend[1] = exact_product(p, p);
    addend[2] = exact_product(g, way);
    addend[3] = exact_product(p, way);
  }

  // The larger of the two; nan where one of them is.
  TRUESTEP_HD double larger(double x, double y) { return x > y || x != x ? x : y; }

  // m, v, r and s of one memory b.
  TRUESTEP_HD void remember(const Hyper& h, double b, double product, double& m, double& v,
                            double& r, double& s) {
    double size = fabs(product), limited = product;
    if (h.limit == kLastSize) {
      size = size + h.eps;
      limited = product < -m ? -m : product > m || m != m ? m : product;
    }
    m = larger(b * m, size);
    v = b * b * v + product * product;
    r = b * r - limited * s;
    const double bet = larger(r, 0.0);
    if (h.bet == kPositive) r = bet;
    s = (h.s_init / h.memories * m + bet) / (sqrt(v) + h.eps);
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double size, const double* sum, double* numbers,
                          Constants& c) {
    double* scales = numbers + 3 * kMemories;
    const double share = sqrt(sum[0]) / (sqrt(sum[1]) + h.eps);
    const double decay = h.weight_decay * total(h, scales) * share;
    // Nothing adds up to 0, whatever it is multiplied by.
    const double product = size == 0.0 ? 0.0 : sum[2] + decay * sum[3];
    double left = 1.0;
    for (int k = 0; k < kMemories && k < h.memories; ++k) {
      left = left * 0.1;
      remember(h, 1.0 - left, product, numbers[k], numbers[kMemories + k],
               numbers[2 * kMemories + k], scales[k]);
    }
    c.scale = rounded(total(h, scales));
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& p0) {
    float way = recomputed(c, p, p0);
    element(c, g, p, p0, way);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p, float& p0, float& way) {
    p0 = c.starts ? p : p0;
    way = way - c.lr * g;
    const float moved = p0 + c.scale * way;
    p = c.added ? p + (moved - p) : moved;
  }
};

}  // namespace truestep::rules::mechanic

#define TRUESTEP_KERNELS(KERNEL)                       \
  KERNEL("", Mechanic<>)                               \
  KERNEL("way=recomputed", Mechanic<Way::kRecomputed>) \
  KERNEL("bet=owed form=added limit=last_size way=recomputed", Mechanic<Way::kRecomputed>)
