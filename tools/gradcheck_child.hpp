// limen gradcheck FILE.so, in one of the children that share its checks.
#pragma once

#include <string>

#include <limen/gradient_check.hpp>

#include "context.hpp"
#include "gradcheck_library.hpp"
#include "resume.hpp"

namespace limen::tools {

// The checks of an op in the order of the report: its kernels, the parts of its gradients, then
// threads.
inline constexpr int kThreadsPiece = 1 + kCheckParts, kPieces = kThreadsPiece + 1;

// A message of a child is a report behind this letter, or JSON: {"piece": 8} says that what follows
// belongs to piece 8 % kPieces of op 8 / kPieces.
inline constexpr char kReport = '=';

// Results depend on more than operands: they change from call to call, and in threads each time in
// another way. Such an op has no test of threads, or the report would differ from run to run.
bool shows_hidden_state(const CheckResult& check);

// Which of the children that share the pieces this is.
struct Share {
  int child = 0, children = 1;
};

// Loads the library into this process.
void run_library_checks(const Context& context, const std::string& file,
                        const GradcheckRequest& request, const Share& share, TestRun& run);

}  // namespace limen::tools
