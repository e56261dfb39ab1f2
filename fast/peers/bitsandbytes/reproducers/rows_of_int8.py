"""What int8_vectorwise_quant and int8_vectorwise_dequant make of a tensor, as an expression shows.

Arguments: the tensor as nested lists, and an expression of code, absmax and back.
"""

import ast
import sys

import torch
from bitsandbytes import functional

x = torch.tensor(ast.literal_eval(sys.argv[1]))
try:
    code, absmax, _ = functional.int8_vectorwise_quant(x)
    back = functional.int8_vectorwise_dequant(code, absmax)
    print(eval(sys.argv[2]))
except Exception as error:
    print(type(error).__name__)
