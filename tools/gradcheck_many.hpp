// limen gradcheck with several subjects, side by side on all cores.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "context.hpp"
#include "gradcheck_report.hpp"

namespace limen::tools {

// The words of the command line, folders of plugins replaced by the plugins, sorted. Throws Error
// (usage) for a folder that is neither that nor a run.
std::vector<std::string> gradcheck_subjects(const std::vector<std::string>& words);

// Runs `check` on each subject in a child of its own, as many at a time as there are threads; the
// results come in the order of the subjects, so does what the children print.
std::vector<Collected> check_side_by_side(
    Context& context, const std::vector<std::string>& subjects,
    const std::function<Collected(const std::string& subject)>& check);

// One report about all of them; its subject is their list.
CheckReport merged(const std::vector<Collected>& parts);
// The same as JSON, with a list `subjects` of whose checks come where.
std::string json_of(const std::vector<Collected>& parts);
// Each as text, and a line that counts them.
std::string text_of(const std::vector<Collected>& parts, bool verbose);
// The worst: 5 (a plugin's fault) outranks what could not be checked, and that 1.
Exit exit_of(const std::vector<Collected>& parts);

}  // namespace limen::tools
