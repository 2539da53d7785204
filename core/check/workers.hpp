// Long pieces of work on plain threads: unlike parallel_for(), whoever is free takes the next one.
#pragma once

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace limen::check {

// Calls body(worker, item) for every item below `items`. Workers are numbered from 0, which is the
// calling thread; one worker's calls follow each other. The body must not throw.
template <class Body>
void run_workers(std::size_t workers, std::size_t items, const Body& body) {
  std::atomic<std::size_t> next{0};
  const auto work = [&](std::size_t worker) {
    for (std::size_t item = 0; (item = next++) < items;) body(worker, item);
  };
  std::vector<std::jthread> threads;
  for (std::size_t w = 1; w < workers && w < items; ++w) threads.emplace_back(work, w);
  work(0);
}

}  // namespace limen::check
