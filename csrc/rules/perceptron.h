// The perceptron (Rosenblatt 1958) of an example (g, response):
//   p = p + lr response g if response <p, g> <= 0
#pragma once

#include "rule.h"

namespace truestep::rules::perceptron {

enum class Form { kBranch, kFactor };
// A choice of the correction alone, by its place in the reference's list.
enum Tie { kMistake, kCorrect, kHalf };

template <Form kForm>
struct Perceptron : Elementwise {
  static constexpr const char* kHyper = "lr tie";
  static constexpr const char* kStates = "";
  static constexpr const char* kNumbers = "response";
  static constexpr int kSums = 1;  // p g
  static constexpr bool kFinishes = true;
  struct Hyper {
    double lr, tie;
  };
  struct Constants {
    bool mistake;
    float move;  // what g is multiplied by
  };

  TRUESTEP_HD Constants constants(const Hyper&, double) { return {}; }

  TRUESTEP_HD void sums(const Constants&, float g, float p, double (&addend)[kSums]) {
    addend[0] = exact_product(p, g);
  }

  TRUESTEP_HD void finish(const Hyper& h, double, double, const double* sum, double* numbers,
                          Constants& c) {
    const double response = numbers[0], score = response * sum[0];
    c.mistake = h.tie == kCorrect ? score < 0.0 : score <= 0.0;
    const double share = !c.mistake ? 0.0 : h.tie == kHalf && !(score < 0.0) ? 0.5 : 1.0;
    c.move = rounded(h.lr * share * response);
  }

  TRUESTEP_HD void element(const Constants& c, float g, float& p) {
    const float moved = p + c.move * g;
    p = kForm == Form::kFactor || c.mistake ? moved : p;
  }
};

}  // namespace truestep::rules::perceptron

#define TRUESTEP_KERNELS(KERNEL)                   \
  KERNEL("", Perceptron<Form::kBranch>)            \
  KERNEL("tie=correct", Perceptron<Form::kBranch>) \
  KERNEL("form=factor", Perceptron<Form::kFactor>) \
  KERNEL("form=factor tie=half", Perceptron<Form::kFactor>)
