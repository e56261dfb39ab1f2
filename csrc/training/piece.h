// What the headers of pieces of the training loop have in common. A piece is one header,
// csrc/training/<name>.h, with struct Piece in the namespace truestep::training::<name>:
//
//   kHyper    the names of the hyperparameters, in the order of struct Hyper's doubles; a choice is
//             its place among the field's choices, a switch 0 or 1
//   kInputs   the names of the lists of tensors that it reads; kOutputs of those that it writes
//   kGiven    the names of the numbers that it reads; "name[]" is a list of them
//   kNumbers  the names of the numbers that it reads, if they are inputs too, and writes; then
//             those of the flags, kFlags, that it writes: 0 or 1
//
// Of three forms, by what a piece inherits:
// Whole     constants(hyper, given, numbers)  before the tensors are read
//           reduce(constants, inputs..., sums, largest)  an element's addends, and sizes of which
//                    the largest is wanted, nan left aside: over all tensors
//           finish(hyper, given, sums, largest, numbers, constants)  what follows from them
//           element(constants, inputs..., outputs...)
// Units     reduce(inputs..., sums, largest) if it has sums, finish(hyper, given, sums) and element
//           of each unit by itself, which is what has a norm of its own: a row, a column or the
//           whole of a tensor. Of a list, given is the tensor's own number
// Replicas  weight(hyper, given, count, i)  what the i-th of count tensors of one shape is
//                    multiplied by; all outputs get the sum
//           divisor(hyper, given, count)  what the sum is divided by
//
// Sums and products of numbers are in double; what an element meets is rounded once to float32.
#pragma once

#include "../rules/rule.h"

namespace truestep::training {

struct Plain {
  static constexpr const char* kGiven = "";
  static constexpr const char* kNumbers = "";
  static constexpr const char* kFlags = "";
  static constexpr int kSums = 0;
  static constexpr int kLargest = 0;
};

struct Whole : Plain {};
struct Units : Plain {};
struct Replicas : Plain {};

TRUESTEP_HD bool is_number(float x) { return x - x == 0.0f; }

// The larger and the smaller of two; nan where one of them is.
TRUESTEP_HD double larger(double x, double y) { return x > y || x != x ? x : y; }

TRUESTEP_HD double smaller(double x, double y) { return x < y || x != x ? x : y; }

}  // namespace truestep::training
