#include "plugin/formula_cache.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cstdlib>

#include "base/text.hpp"
#include "plugin/compile.hpp"

namespace limen {
namespace {

namespace fs = std::filesystem;

std::vector<FormulaParam> params_of(const Formula& formula) {
  std::vector<FormulaParam> params;
  for (const std::string& name : formula.params()) params.push_back({.name = name, .value = 1});
  return params;
}

// FNV-1a over everything that the library is made from.
std::string hash_of(std::string_view bytes) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return fmt::format("{:016x}", hash);
}

// Code is loaded from here: nobody else may have put it there.
void check_owner(const fs::path& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) return;
  if (status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return;
  throw Error(
      "E0903",
      fmt::format("{}: others may write there, so no formula is loaded from it", folder.string()),
      {fmt::format("chmod 700 {}", folder.string()),
       "or name another folder with the environment variable LIMEN_CACHE"});
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) fs::permissions(folder, fs::perms::owner_all, error);
  if (!error) return;
  throw Error("E0903", fmt::format("{}: cannot be written: {}", folder.string(), error.message()),
              {"name a folder with the environment variable LIMEN_CACHE"});
}

std::optional<Activation> load(const fs::path& file, const std::string& name,
                               const Formula& formula) {
  PluginRegistry registry;
  registry.load(file);
  Activation found = registry.find(name);
  if (found.op().formula != formula.text()) return std::nullopt;
  return found;
}

}  // namespace

fs::path formula_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && value[0] == '/' ? fs::path(value) : fs::path();
  };
  if (const fs::path base = variable("LIMEN_CACHE"); !base.empty()) return base / "formula";
  if (const fs::path base = variable("XDG_CACHE_HOME"); !base.empty()) {
    return base / "limen" / "formula";
  }
  const fs::path home = variable("HOME");
  return home.empty() ? home : home / ".cache" / "limen" / "formula";
}

Activation compiled_formula(const Formula& formula) {
  const fs::path folder = formula_folder();
  if (folder.empty()) {
    throw Error("E0903", "there is no folder to keep a compiled formula in",
                {"name one with the environment variable LIMEN_CACHE"});
  }
  check_owner(folder);
  const std::vector<FormulaParam> params = params_of(formula);
  const std::string hash =
      hash_of(formula_source(formula, "formula_op", "formula", params) + compile_fingerprint());
  const std::string name = "formula_" + hash;
  const fs::path file = folder / (hash + ".so");
  std::error_code error;
  if (fs::exists(file, error)) {
    try {
      if (std::optional<Activation> found = load(file, name, formula)) return *found;
    } catch (const Error&) {  // damaged: it is made again
    }
    fs::remove(file, error);
  }
  make_folder(folder);
  CompileJob job;
  job.text = formula_source(formula, name, "formula.f" + hash, params);
  job.output = file;
  compile(job);
  if (std::optional<Activation> found = load(file, name, formula)) return *found;
  throw Error("E0532", fmt::format("{}: is not the op of `{}`", file.string(), formula.text()));
}

}  // namespace limen
