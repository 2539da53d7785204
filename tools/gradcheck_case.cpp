#include "gradcheck_case.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace limen::tools {
namespace {

bool is_within(std::string_view id, std::string_view outer) {
  return id.starts_with(outer) && (id.size() == outer.size() || id[outer.size()] == '/');
}

}  // namespace

bool CaseFilter::wants_test(std::string_view test, std::string_view op) {
  if (!any()) return true;
  const std::string label = wanted_.substr(0, wanted_.find('/'));
  const bool mine = label.substr(0, label.find('{')) == op;
  seen_.push_back(mine ? fmt::format("{}/{}", label, test) : std::string(op));
  const bool wanted = mine && (label == wanted_ || is_within(wanted_, seen_.back()));
  begun_ = begun_ || wanted;
  return wanted;
}

bool CaseFilter::wants_point(std::string_view id) {
  if (is_within(id, wanted_)) return found_ = true;
  if (seen_.empty() || seen_.back() != id) seen_.emplace_back(id);
  return false;
}

void CaseFilter::apply_to(CheckOptions& options) {
  if (!any()) return;
  options.wants_point = [this](std::string_view id) { return wants_point(id); };
}

bool CaseFilter::survived() const {
  return begun_ && wanted_.ends_with(fmt::format("/{}/{}", kSurvives, kProcess));
}

std::string CaseFilter::suggestion() const {
  std::vector<std::string> names = seen_;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return did_you_mean(wanted_, names);
}

}  // namespace limen::tools
