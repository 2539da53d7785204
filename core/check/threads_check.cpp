// Kernels that many threads are in, and kernels that are interrupted by themselves.
#include <fmt/format.h>

#include <algorithm>
#include <barrier>
#include <cmath>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "check/activation.hpp"
#include "check/signals.hpp"

namespace limen::check {

void take_inputs(Call& call, const Call& from, std::size_t turn) {
  const std::pair<Operands*, const Operands*> lists[] = {
      {&call.x, &from.x}, {&call.dy, &from.dy}, {&call.gx, &from.gx}, {&call.tx, &from.tx}};
  for (const auto& [to, source] : lists) {
    for (std::size_t k = 0; k < source->size(); ++k) {
      Row values = (*source)[k].values();
      std::rotate(values.begin(),
                  values.begin() + static_cast<std::ptrdiff_t>(turn % values.size()), values.end());
      (*to)[k].assign(std::span(values).first((*to)[k].size()));
    }
  }
}

namespace {

// How far a result may be off that is not the same each time: what a sum leaves may be much smaller
// than its terms.
double slack_of(const Call& call, const Operand& result) {
  double size = result.largest();
  for (const Operands* terms : {&call.dy, &call.gx, &call.tx}) {
    for (const Operand& operand : *terms) size = std::max(size, operand.largest());
  }
  return 32 * precision_of(result.dtype()).unit * size;
}

}  // namespace

bool same_results(Call& a, Call& b, std::uint32_t role, std::string& difference) {
  const limen_facts* facts = a.op.op().facts;
  const bool exact = facts == nullptr || (facts->flags & LIMEN_FACT_NONDETERMINISTIC) == 0;
  const std::vector<Operand*> left = results_of(a, role), right = results_of(b, role);
  for (std::size_t k = 0; k < left.size(); ++k) {
    if (left[k]->same_bits(*right[k])) continue;
    const double slack = exact ? 0 : slack_of(a, *left[k]);
    for (std::size_t i = 0; i < left[k]->size(); ++i) {
      const double l = left[k]->get(i), r = right[k]->get(i);
      if (!exact && std::abs(l - r) <= slack) continue;
      if (l == r ? std::signbit(l) == std::signbit(r) : std::isnan(l) && std::isnan(r)) continue;
      difference = fmt::format("result {}, element {}: {:.17g} and {:.17g}", k, i, l, r);
      return false;
    }
  }
  return true;
}

namespace {

// Many threads, each with operands of its own, against what one thread computed. They go
// through the table together, so that all of them are in one kernel at a time.
class Threads {
 public:
  Threads(const ActivationContext& context, const std::vector<KernelPair>& kernels,
          const Call& numbers)
      : context_(context),
        kernels_(kernels),
        numbers_(numbers),
        threads_(static_cast<std::size_t>(context.options.threads)),
        wrong_(threads_ * kernels.size()),
        few_done_(threads_ * kernels.size()) {
    for (const KernelPair& pair : kernels) {
      const DType dtype = dtype_of_bit(pair.backward->dtype);
      take_inputs(few_.try_emplace(dtype, context.op, dtype, 1, 8).first->second, numbers);
    }
  }

  void run() {
    std::barrier<> together(static_cast<std::ptrdiff_t>(threads_));
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < threads_; ++i) {
      threads.emplace_back([&, i] { work(i, together); });
    }
    for (std::thread& thread : threads) thread.join();
    for (std::size_t k = 0; k < kernels_.size(); ++k) {
      Tally t = context_.tally("64-threads", fmt::format("{} threads", threads_),
                               describe(*kernels_[k].backward));
      bool same = true;
      for (std::size_t i = 0; i < threads_; ++i) {
        same = same && wrong_[i * kernels_.size() + k].empty();
      }
      // Which thread sees what is chance: it has no place in a report.
      t.require(same, "results", "other threads change the results");
      Call here = few(kernels_[k]);
      std::string difference;
      for (std::size_t i = 0; i < threads_; ++i) {
        same_results(*few_done_[i * kernels_.size() + k], here, kernels_[k].backward->role,
                     difference);
      }
      t.require(difference.empty(), "results", "not all threads get what the main thread gets");
      context_.add(t);
    }
  }

 private:
  const ActivationContext& context_;
  const std::vector<KernelPair>& kernels_;
  const Call& numbers_;
  std::size_t threads_;
  std::vector<std::string> wrong_;
  std::map<DType, Call> few_;                  // a few numbers, before kernels ran
  std::vector<std::optional<Call>> few_done_;  // of each thread and kernel

  // What every thread computes: which one it is must not matter.
  Call few(const KernelPair& pair) const {
    Call call = few_.at(dtype_of_bit(pair.backward->dtype));
    both(pair, call);
    return call;
  }
  static void both(const KernelPair& pair, Call& call) {
    call.run(*pair.forward);
    if (pair.backward != pair.forward) call.run(*pair.backward);
  }

  // Operands of one type: as they were drawn, and for each purpose.
  struct Calls {
    Call drawn, mine, expected;
  };

  void work(std::size_t i, std::barrier<>& together) {
    const bool rows = context_.op.rows();
    std::map<DType, Calls> calls;
    for (std::size_t k = 0; k < kernels_.size(); ++k) {
      const KernelPair& pair = kernels_[k];
      const DType dtype = dtype_of_bit(pair.backward->dtype);
      if (!calls.contains(dtype)) {
        const auto make = [&] {
          Call call(context_.op, dtype, rows ? 16 : 1, rows ? 33 : 1024, {.base = i});
          take_inputs(call, numbers_, 77 * i);
          return call;
        };
        calls.emplace(dtype, Calls{make(), make(), make()});
      }
      auto& [drawn, mine, expected] = calls.at(dtype);
      for (Call* call : {&mine, &expected}) call->copy_contents(drawn);
      // First without a call that one thread made alone: what is set up by the first use must be
      // whole before others find it.
      together.arrive_and_wait();
      both(pair, mine);
      together.arrive_and_wait();
      {
        const std::lock_guard guard(alone_);
        both(pair, expected);
      }
      same_results(mine, expected, pair.backward->role, wrong_[i * kernels_.size() + k]);
      mine.copy_contents(drawn);
      together.arrive_and_wait();
      for (int round = 0; round < 8; ++round) {
        both(pair, mine);
        same_results(mine, expected, pair.backward->role, wrong_[i * kernels_.size() + k]);
      }
      few_done_[i * kernels_.size() + k].emplace(few(pair));
    }
  }

  std::mutex alone_;
};

// The same without luck: kernels that are interrupted by themselves.
class Reentry {
 public:
  Reentry(const ActivationContext& context, const Call& numbers)
      : context_(context), numbers_(numbers) {}

  void run(const KernelPair& pair) {
    const limen_kernel& kernel = *pair.backward;
    Tally t = context_.tally("64-threads", "interrupted by itself", describe(kernel));
    Calls& calls = calls_of(dtype_of_bit(kernel.dtype));
    calls.mine.copy_contents(calls.drawn);
    calls.expected.copy_contents(calls.drawn);
    calls.other.copy_contents(calls.other_drawn);
    for (Call* call : {&calls.mine, &calls.expected, &calls.other}) {
      call->run(*pair.forward);
      call->run(kernel);
    }
    calls.other_expected.copy_contents(calls.other);
    std::string difference, intruders;
    run_interrupted([&] { calls.mine.run(kernel); }, [&] { calls.other.run(kernel); },
                    [&] {
                      same_results(calls.mine, calls.expected, kernel.role, difference);
                      same_results(calls.other, calls.other_expected, kernel.role, intruders);
                    });
    t.require(difference.empty(), "results",
              "a call that another call interrupts gives other results");
    t.require(intruders.empty(), "results",
              "a call that begins while another runs gives other results");
    context_.add(t);
  }

 private:
  struct Calls {
    Call drawn, mine, expected, other_drawn, other, other_expected;
  };
  const ActivationContext& context_;
  const Call& numbers_;
  std::map<DType, Calls> calls_;

  Calls& calls_of(DType dtype) {
    const auto at = calls_.find(dtype);
    if (at != calls_.end()) return at->second;
    const auto make = [&](std::uint64_t base) {
      Call call(context_.op, dtype, numbers_.rows, numbers_.n, {.base = base});
      take_inputs(call, numbers_, base);
      return call;
    };
    return calls_.emplace(dtype, Calls{make(0), make(0), make(0), make(77), make(77), make(77)})
        .first->second;
  }
};

// Of each kind of kernel the widest: they come from one source.
std::vector<KernelPair> widest(const std::vector<KernelPair>& kernels) {
  std::vector<KernelPair> result;
  for (const KernelPair& pair : kernels) {
    const limen_kernel& k = *pair.backward;
    const bool wider = std::any_of(kernels.begin(), kernels.end(), [&](const KernelPair& other) {
      const limen_kernel& o = *other.backward;
      return o.isa > k.isa && o.role == k.role && o.dtype == k.dtype && o.reads == k.reads &&
             o.variant == k.variant;
    });
    if (!wider) result.push_back(pair);
  }
  return result;
}

}  // namespace

void check_threads(const ActivationContext& context, const std::vector<KernelPair>& kernels) {
  const std::vector<KernelPair> some = widest(kernels);
  const bool rows = context.op.rows();
  const Call numbers = drawn_call(context, DType::f64, rows ? 32 : 1, rows ? 33 : 2048, {}, 1);
  Threads(context, some, numbers).run();
  Reentry reentry(context, numbers);
  for (const KernelPair& pair : some) reentry.run(pair);
}

}  // namespace limen::check
