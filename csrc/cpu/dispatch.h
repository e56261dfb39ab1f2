// Which instruction set the kernels use: the widest that this processor has, unless told otherwise.
#pragma once

#include <string>
#include <vector>

#include "kernels.h"

namespace truestep::cpu {

// Names of the sets that this processor can run, narrowest first.
std::vector<std::string> instruction_sets();

// Chooses a set for every later call of this process; false if this processor lacks it.
bool set_instruction_set(const std::string& name);

const Kernels& kernels();

}  // namespace truestep::cpu
