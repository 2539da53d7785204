// The errors and warnings of one reading of a model, in the order of finding.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <limen/error.hpp>

#include "model/yaml.hpp"

namespace limen::language {

class Findings {
 public:
  static constexpr std::size_t kMost = 20;

  // An error at the node, with the places its variables come from. The reference may be used to
  // add help and further places until the next call.
  Diagnostic& error(std::string code, std::string message, const Node& at);
  Diagnostic& error(std::string code, std::string message, const Place& at);
  Diagnostic& warning(std::string code, std::string message, const Place& at);
  // Everything another part has found, with this help where it gives none.
  void add(const Error& error, std::string_view help);

  bool any() const { return !errors_.empty(); }
  std::size_t count() const { return errors_.size(); }
  Diagnostic& last() { return errors_.back(); }
  // The end of a stage: throws what was found so far, at most kMost.
  void end_stage();

  std::vector<Diagnostic> take_warnings() { return std::move(warnings_); }
  std::vector<Diagnostic>& warnings() { return warnings_; }

 private:
  std::vector<Diagnostic> errors_, warnings_;
  Diagnostic overflow_;  // takes what is said after kMost
};

// "`$act` is set here", for every variable the node's value came through.
void append_origins(Diagnostic& diagnostic, const Node& node);

// Adds a help line unless it is empty.
void add_help(Diagnostic& diagnostic, std::string help);

}  // namespace limen::language
