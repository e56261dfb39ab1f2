// What kernels call: barriers, warp operations, locks, and the way out of a faulty kernel.
#include "runtime.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "worker.h"

#if defined(__x86_64__)
asm(R"(
.text
.globl cuda_on_cpu_switch
.hidden cuda_on_cpu_switch
.type cuda_on_cpu_switch,@function
cuda_on_cpu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
.size cuda_on_cpu_switch, .-cuda_on_cpu_switch
)");
#endif

namespace cuda_on_cpu {

thread_local Context context;

bool same(Place a, Place b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}

const char* base_name(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

void leave(Thread& thread, State state, Place place) {
  thread.state = state;
  thread.place = place;
  thread.fiber.switch_to(thread.worker->main);
}

void complete(Collective& collective, Thread* first) {
  collective.open = false;
  collective.to_leave = __builtin_popcount(collective.exchange.arrived);
  for (int lane = 0; lane < kWarpSize; ++lane) {
    if ((collective.exchange.arrived >> lane & 1u) != 0) first[lane].state = State::kReady;
  }
}

int block_barrier(Reduction reduction, int predicate, Place place) {
  Thread& thread = self();
  Worker& worker = *thread.worker;
  Barrier& barrier = worker.barriers[worker.parity];
  if (barrier.arrived == 0) {
    barrier.count = 0;
    barrier.place = place;
  } else if (!same(barrier.place, place)) {
    fail("divergent barrier: this thread waits at %s:%d, others at %s:%d", base_name(place.file),
         place.line, base_name(barrier.place.file), barrier.place.line);
  }
  barrier.count += predicate != 0;
  order_before(&barrier);
  // A thread that has left the kernel is not excused: CUDA requires the barrier of all or none.
  if (++barrier.arrived == worker.count) {
    barrier.arrived = 0;
    worker.parity ^= 1;
    for (std::uint32_t i = 0; i < worker.count; ++i) worker.threads[i].state = State::kReady;
  } else {
    leave(thread, State::kAtBarrier, place);
  }
  order_after(&barrier);
  const int all = static_cast<int>(worker.count);
  switch (reduction) {
    case Reduction::kAnd:
      return barrier.count == all;
    case Reduction::kOr:
      return barrier.count != 0;
    default:
      return barrier.count;
  }
}

const Exchange& warp_exchange(WarpOperation operation, unsigned mask, std::uint64_t value,
                              Place place) {
  Thread& thread = self();
  Warp& warp = *thread.warp;
  const unsigned bit = 1u << thread.lane;
  if ((mask & bit) == 0) {
    fail("%s:%d: mask %#010x does not name the calling lane %d", base_name(place.file), place.line,
         mask, thread.lane);
  }
  Collective *joined = nullptr, *unused = nullptr;
  for (Collective& collective : warp.collectives) {
    if (!collective.in_use) {
      if (unused == nullptr) unused = &collective;
    } else if (collective.open && collective.mask == mask && collective.operation == operation) {
      joined = &collective;
      break;
    }
  }
  if (joined == nullptr) {
    joined = unused;
    joined->in_use = joined->open = true;
    joined->operation = operation;
    joined->mask = mask;
    joined->place = place;
    joined->exchange.arrived = 0;
    joined->tag = &warp.tags[warp.next_tag++ % sizeof warp.tags];
  }
  joined->exchange.value[thread.lane] = value;
  joined->exchange.arrived |= bit;
  // Shuffles and votes order no memory; only __syncwarp does.
  const bool orders = operation == WarpOperation::kSync;
  if (orders) order_before(joined->tag);
  if ((mask & warp.running & ~joined->exchange.arrived) == 0) {
    complete(*joined, &thread - thread.lane);
  } else {
    leave(thread, State::kInWarpOperation, place);
  }
  if (orders) order_after(joined->tag);
  if (--joined->to_leave == 0) joined->in_use = false;
  return joined->exchange;
}

unsigned active_mask(Place place) {
  Thread& thread = self();
  leave(thread, State::kAtActiveMask, place);
  return thread.active;
}

void wait_for_lock() { leave(self(), State::kAtLock, {}); }

void memory_fence() {
  static char tag;
  order_after(&tag);
  order_before(&tag);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void fail(const char* format, ...) {
  char what[512], text[768];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  if (context.thread == nullptr) {
    std::fprintf(stderr, "outside a kernel: %s\n", what);
    std::abort();
  }
  Thread& thread = self();
  Launch& launch = *thread.worker->launch;
  std::snprintf(text, sizeof text, "kernel %s, block (%u, %u, %u), thread (%u, %u, %u): %s",
                launch.kernel.name, context.block_index.x, context.block_index.y,
                context.block_index.z, thread.index.x, thread.index.y, thread.index.z, what);
  launch.report(text);
  for (;;) thread.fiber.switch_to(thread.worker->main);
}

}  // namespace cuda_on_cpu
