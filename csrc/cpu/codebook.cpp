#include "codebook.h"

namespace truestep::cpu {
namespace {

// Fills the bucket of magnitudes that start with `high`; false if it holds more than one threshold.
bool fill_bucket(const float* thresholds, u32 high, u32 sign, u32& bucket) {
  const auto code_at = [&](u32 low) {
    return dynamic_code(thresholds, float_of(sign << 31 | high << 16 | low));
  };
  const u32 code = code_at(0);
  u32 last = 0xffff;
  if (code_at(last) != code) {
    if (code_at(last) != (sign != 0 ? code - 1 : code + 1)) return false;
    u32 other = last;
    last = 0;
    while (other - last > 1) {
      const u32 middle = (last + other) / 2;
      (code_at(middle) == code ? last : other) = middle;
    }
  }
  bucket = last << 16 | code;
  return true;
}

// The least and the greatest code of a bucket.
struct Codes {
  u32 low, high;
};

Codes codes_of(const Codebook& codebook, u32 k, u32 sign) {
  const u32 bucket = codebook.buckets[sign * kBuckets + k];
  const u32 first = bucket & 0xffffu, crosses = (bucket >> 16) != 0xffffu ? 1u : 0u;
  return sign != 0 ? Codes{first - crosses, first} : Codes{first, first + crosses};
}

bool guesses(u32 guess, const Codes& codes) {
  return guess <= codes.low && codes.high <= guess + 1;
}

// Puts a line through the first and the last threshold of buckets [begin, end), which lie in one
// octave: half a code above the code below each. False if the line guesses wrong anywhere.
bool fit_line(const Codebook& codebook, u32 begin, u32 end, u16& base, u16& slope) {
  const u32 lowest = codes_of(codebook, begin, 0).low;
  double first = 0, last = 0;
  u32 crossings = 0;
  for (u32 k = begin; k < end; ++k) {
    const Codes codes = codes_of(codebook, k, 0);
    // A threshold may be the last number of its bucket.
    const u32 next = k + 1 < end ? codes_of(codebook, k + 1, 0).low : codes.high;
    if (codes.low == next) continue;
    last = k % kOctave + (codebook.buckets[k] >> 16) / 65536.0;
    if (crossings++ == 0) first = last;
  }
  const double per_bucket = crossings < 2 ? 0.0 : (crossings - 1) / (last - first);
  slope = static_cast<u16>(256 * kOctave * per_bucket);
  // The guess is made for the middle of a bucket.
  base = static_cast<u16>(static_cast<int>(256 * (lowest + 0.5 + per_bucket * (0.5 - first))));
  for (u32 k = begin; k < end; ++k) {
    const u32 guess = (base + ((k % kOctave << 9) * slope >> 16)) & 0xffffu;
    const u32 mirrored = codebook.guess.mirror < guess ? 0 : codebook.guess.mirror - guess;
    if (!guesses(guess >> 8, codes_of(codebook, k, 0))) return false;
    if (!guesses(mirrored >> 8, codes_of(codebook, k, 1))) return false;
  }
  return true;
}

// False if some octave needs more than two lines, or all of them more than kLines.
bool fill_guess(Codebook& codebook) {
  Guess& guess = codebook.guess;
  guess = {};
  guess.mirror = 2 * 256 * codebook.code_of_zero;
  u32 line = 0;
  for (u32 begin = 0; begin < kBuckets; begin += kOctave) {
    const u32 end = begin + kOctave < kBuckets ? begin + kOctave : kBuckets;
    u32 cut = end;
    for (; cut > begin; --cut) {
      if (line + (cut < end) >= kLines) return false;
      if (fit_line(codebook, begin, cut, guess.base[line], guess.slope[line]) &&
          (cut == end ||
           fit_line(codebook, cut, end, guess.base[line + 1], guess.slope[line + 1]))) {
        break;
      }
    }
    if (cut == begin) return false;
    guess.line_shift[begin / kOctave] =
        static_cast<u16>(line * kOctave - begin + (cut < end ? kOctave - cut % kOctave : 0));
    line += cut < end ? 2 : 1;
  }
  return true;
}

void split_bytes(float x, u32 code, u8 (*bytes)[kCodes]) {
  for (u32 k = 0; k < 4; ++k) bytes[k][code] = static_cast<u8>(bits_of(x) >> 8 * k);
}

}  // namespace

const char* build_codebook(const float* values, Codebook& codebook) {
  codebook.code_of_zero = kCodes;
  for (u32 code = 0; code < kCodes; ++code) {
    if (code > 0 && !(values[code - 1] < values[code])) return "values must ascend strictly";
    if (values[code] == 0) codebook.code_of_zero = code;
    codebook.values[code] = values[code];
  }
  if (!(values[0] >= -1 && values[kCodes - 1] == 1)) return "values must lie in [-1, 1] and hold 1";
  if (codebook.code_of_zero == kCodes) return "values must hold 0";

  float thresholds[kCodes];
  dynamic_thresholds(values, thresholds);
  thresholds[kThresholds] = __builtin_inff();
  for (u32 code = 0; code < kCodes; ++code) {
    split_bytes(values[code], code, codebook.value_bytes);
    split_bytes(thresholds[code], code, codebook.threshold_bytes);
  }
  for (u32 sign = 0; sign < 2; ++sign) {
    for (u32 k = 0; k < kBuckets; ++k) {
      if (!fill_bucket(thresholds, kLowestBucket + k, sign,
                       codebook.buckets[sign * kBuckets + k])) {
        return "values must be so far apart that no two thresholds share 7 bits of mantissa";
      }
    }
    if ((codebook.buckets[sign * kBuckets] & 0xffffu) != codebook.code_of_zero) {
      return "magnitudes up to 2^-23 must have the code of zero";
    }
  }
  if (!fill_guess(codebook)) return "values must be evenly spaced between powers of ten";
  return nullptr;
}

}  // namespace truestep::cpu
