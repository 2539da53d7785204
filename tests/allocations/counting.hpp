// Counts the allocations of this process by who asked: operator new and delete are replaced, and
// without a sanitizer (which has replacements of its own) malloc and its kin too.
#pragma once

namespace limen::test {

struct AllocationCounts {
  long limen = 0;   // code in this program, and what it calls in the C and C++ libraries
  long onednn = 0;  // asked for by code in libdnnl itself
  long openmp = 0;  // by libgomp: its teams of threads
};

// Counts on all threads from construction to counts().
class AllocationCounter {
 public:
  AllocationCounter();
  AllocationCounts counts() const;
};

}  // namespace limen::test
