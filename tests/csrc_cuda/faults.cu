// Kernels that CUDA does not allow, one fault each; cuda_on_cpu must name it.

// Passes on a GPU whenever the warps happen to run in step.
extern "C" __global__ void missing_barrier_kernel(float* x) {
  __shared__ float numbers[128];
  const int i = threadIdx.x + blockIdx.x * blockDim.x;
  numbers[threadIdx.x] = x[i];
#if !defined(MISSING_BARRIER)
  __syncthreads();
#endif
  x[i] = numbers[blockDim.x - 1 - threadIdx.x];
}

extern "C" __global__ void half_at_barrier_kernel(int* x) {
  if (threadIdx.x < 16) __syncthreads();
  x[threadIdx.x] = 1;
}

extern "C" __global__ void two_barriers_kernel(int* x) {
  if (threadIdx.x < 16) {
    __syncthreads();
    x[threadIdx.x] = 1;
  } else {
    __syncthreads();
  }
}

// Half of the lanes wait for all in one operation, half in another.
extern "C" __global__ void mixed_operations_kernel(int* x) {
  if (threadIdx.x < 16) {
    x[threadIdx.x] = __any_sync(0xffffffffu, 1);
  } else {
    x[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1, 1);
  }
}

extern "C" __global__ void overlapping_masks_kernel(unsigned* x) {
  const unsigned mask = threadIdx.x < 16 ? 0x0001ffffu : 0xffff0000u;
  x[threadIdx.x] = __ballot_sync(mask, 1);
  // Lane 16 would otherwise leave the kernel, and whoever has left is not waited for.
  __syncthreads();
}

extern "C" __global__ void foreign_mask_kernel(unsigned* x) {
  x[threadIdx.x] = __ballot_sync(0x0000ffffu, 1);
}

extern "C" __global__ void bad_width_kernel(int* x) {
  x[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1, 1, 12);
}

extern "C" __global__ void misaligned_load_kernel(float* x, int offset) {
  const float4 four = *reinterpret_cast<const float4*>(x + offset);
  x[0] = four.x + four.w;
}

extern "C" __global__ void misaligned_store_kernel(float* x, int offset) {
  *reinterpret_cast<float2*>(x + offset) = {1.0f, 2.0f};
}

extern "C" __global__ void misaligned_atomic_kernel(char* x) {
  atomicAdd(reinterpret_cast<int*>(x + 1), 1);
}

extern "C" __global__ void null_kernel(float** x) { *x[0] = 1.0f; }

extern "C" __global__ void shared_overrun_kernel(float* x, int by) {
  __shared__ float numbers[32];
  numbers[threadIdx.x + by] = 1.0f;
  __syncthreads();
  x[threadIdx.x] = numbers[threadIdx.x];
}

extern __shared__ int scratch[];

extern "C" __global__ void dynamic_overrun_kernel(int* x) {
  scratch[threadIdx.x] = 1;
  x[threadIdx.x] = scratch[threadIdx.x];
}

extern "C" __global__ void index_overflow_kernel(int* x, int n) { x[0] = n * 65536; }

// Undefined, and different on a GPU and on the host, from 2^31 on.
extern "C" __global__ void conversion_overflow_kernel(int* x, float value) {
  x[0] = static_cast<int>(value);
}

extern "C" __global__ void waits_for_later_block_kernel(int* flag) {
  if (blockIdx.x == 1) atomicExch(flag, 1);
  while (blockIdx.x == 0 && atomicCAS(flag, 1, 2) != 1) {
  }
}

// No thread is ordered after another, so the sum depends on who comes last.
extern "C" __global__ void racing_blocks_kernel(int* x) {
  if (threadIdx.x == 0) x[0] = x[0] + static_cast<int>(blockIdx.x);
}

// Correct numbers under every order of whole operations, but shuffles order no memory.
extern "C" __global__ void unordered_warp_kernel(int* x) {
  __shared__ int numbers[32];
  numbers[threadIdx.x] = x[threadIdx.x];
#if defined(MISSING_BARRIER)
  __shfl_xor_sync(0xffffffffu, 0, 1);
#else
  __syncwarp();
#endif
  x[threadIdx.x] = numbers[threadIdx.x ^ 1];
}
