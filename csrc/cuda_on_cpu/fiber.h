// One fiber: a stack and the place where its function was left. Switching is explicit and never
// leaves the operating-system thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#if defined(TRUESTEP_TSAN)
extern "C" {
void* __tsan_get_current_fiber(void);
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif
#if defined(TRUESTEP_ASAN)
extern "C" {
void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, std::size_t size);
void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, std::size_t* size);
}
#endif

#if defined(__x86_64__)
// Saves the registers that a call preserves, stores the stack pointer in *from and continues at to.
// The indirect jump, unlike a return, does not spoil the processor's return-address prediction.
extern "C" void cuda_on_cpu_switch(void** from, void* to);
#endif

namespace cuda_on_cpu {

// What the race detector knows of an order between threads: an acquire sees all earlier releases.
inline void order_after([[maybe_unused]] void* tag) {
#if defined(TRUESTEP_TSAN)
  __tsan_acquire(tag);
#endif
}
inline void order_before([[maybe_unused]] void* tag) {
#if defined(TRUESTEP_TSAN)
  __tsan_release(tag);
#endif
}

class Fiber {
 public:
  Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber() {
#if defined(TRUESTEP_TSAN)
    if (tsan_ != nullptr && !adopted_) __tsan_destroy_fiber(tsan_);
#endif
  }

  // A fiber that is the running stack itself, to return to.
  void adopt() {
#if defined(TRUESTEP_TSAN)
    tsan_ = __tsan_get_current_fiber();
    adopted_ = true;
#endif
  }

  // The next switch to this fiber calls entry, which must never return.
  void start(char* stack, std::size_t size, void (*entry)()) {
#if defined(TRUESTEP_ASAN)
    bottom_ = stack;
    size_ = size;
#endif
#if defined(TRUESTEP_TSAN)
    if (tsan_ == nullptr) tsan_ = __tsan_create_fiber(0);
#endif
#if defined(__x86_64__)
    // At entry the stack must be 8 below a multiple of 16, as after a call.
    auto** top = reinterpret_cast<void**>(reinterpret_cast<std::uintptr_t>(stack + size) &
                                          ~std::uintptr_t{15});
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(entry);
    constexpr int kSavedRegisters = 6;
    top -= kSavedRegisters;
    std::memset(top, 0, kSavedRegisters * sizeof *top);
    pointer_ = top;
#else
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack;
    context_.uc_stack.ss_size = size;
    context_.uc_link = nullptr;
    makecontext(&context_, entry, 0);
#endif
  }

  // To be called first thing on a started fiber; from is the fiber that switched to it.
  void arrived([[maybe_unused]] Fiber& from) {
#if defined(TRUESTEP_ASAN)
    __sanitizer_finish_switch_fiber(nullptr, &from.bottom_, &from.size_);
#endif
  }

  // Leaves this fiber and continues to; returns when something switches back.
  void switch_to(Fiber& to) {
#if defined(TRUESTEP_TSAN)
    constexpr unsigned kNoOrder = 1;  // only what a kernel synchronises is synchronised
    __tsan_switch_to_fiber(to.tsan_, kNoOrder);
#endif
#if defined(TRUESTEP_ASAN)
    void* fake_stack = nullptr;
    __sanitizer_start_switch_fiber(&fake_stack, to.bottom_, to.size_);
#endif
#if defined(__x86_64__)
    cuda_on_cpu_switch(&pointer_, to.pointer_);
#else
    swapcontext(&context_, &to.context_);
#endif
#if defined(TRUESTEP_ASAN)
    __sanitizer_finish_switch_fiber(fake_stack, &to.bottom_, &to.size_);
#endif
  }

 private:
#if defined(__x86_64__)
  void* pointer_ = nullptr;
#else
  ucontext_t context_;
#endif
#if defined(TRUESTEP_TSAN)
  void* tsan_ = nullptr;
  bool adopted_ = false;
#endif
#if defined(TRUESTEP_ASAN)
  const void* bottom_ = nullptr;
  std::size_t size_ = 0;
#endif
};

}  // namespace cuda_on_cpu
