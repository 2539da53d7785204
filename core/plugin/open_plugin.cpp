// From a catalogued file to a plugin in memory.
#include <fmt/format.h>

#include "base/sha256.hpp"
#include "plugin/catalogue.hpp"
#include "plugin/descriptor.hpp"
#include "plugin/fault.hpp"
#include "plugin/fp_state.hpp"
#include "plugin/kept_copies.hpp"
#include "plugin/library.hpp"
#include "plugin/probe.hpp"
#include "plugin/self_test.hpp"
#include "plugin/shadow.hpp"

namespace limen {
namespace {

Error quarantined(const std::string& file, const std::string& death) {
  return plugin_fault("E0519", file, fmt::format("probe: {}. Quarantined", death),
                      {fmt::format("mend it; `limen plugin check {}` tries it again", file)});
}

void compare_hashes(const std::string& file, const std::string& want, const std::string& got) {
  if (want.empty() || want == got) return;
  throw plugin_fault("E0521", file, fmt::format("sha256 differs: want {}, got {}", want, got),
                     {"name the hash of the file that you trust, or get that file"});
}

// Everything that runs the library's code, in the child.
void try_out(const Shadow& copy, const std::string& file,
             const std::function<void(const char*)>& stage) {
  const auto before = fp_state();
  const auto unchanged = [&] {
    if (fp_state() != before) stage("!changed the floating-point environment");
  };
  stage("while it was mapped and unmapped");
  map_once(copy.path());
  unchanged();
  const limen_plugin* descriptor =
      open_library(copy.path(), file, [&] { stage("in the entry point"); });
  unchanged();
  stage("while its descriptor was read");
  check_descriptor(descriptor, file);
  stage("in its self-test");
  self_test(*descriptor, file);
  unchanged();
}

const limen_plugin* open_good(const std::filesystem::path& path, const std::string& file) {
  const limen_plugin* descriptor = open_library(path, file);
  check_descriptor(descriptor, file);
  return descriptor;
}

// A file that only its author vouches for: what was hashed is copied, tried in a child, and mapped.
const limen_plugin* open_copy(const CataloguedFile& file, const std::string& bytes,
                              const std::string& hash) {
  const std::string& name = file.is.file;
  ByteSource in{std::string_view(bytes)};
  inspect_elf(in, name);  // it may have changed since it was catalogued
  check_relocations(in, name);
  const ProbeVerdicts verdicts;
  using Verdict = ProbeVerdicts::Verdict;
  const ProbeVerdicts::Entry before = verdicts.find(hash);
  if (before.verdict == Verdict::dead) throw quarantined(name, before.death);
  const Shadow copy(bytes, hash, name);
  const bool fresh = before.verdict == Verdict::unknown;
  if (fresh) {
    const auto death = probe([&](const auto& stage) { try_out(copy, name, stage); });
    if (death) {
      verdicts.keep(hash, {Verdict::dead, *death});
      throw quarantined(name, *death);
    }
  }
  const limen_plugin* descriptor = open_good(copy.path(), name);
  if (fresh) self_test(*descriptor, name);
  if (fresh) verdicts.keep(hash, {Verdict::good, ""});
  return descriptor;
}

const limen_plugin* open_in_place(const std::string& file) {
  const limen_plugin* descriptor = open_good(file, file);
  self_test(*descriptor, file);
  return descriptor;
}

}  // namespace

std::shared_ptr<const LoadedPlugin> open_plugin(const CataloguedFile& file,
                                                const std::string& sha256_wanted, bool copy,
                                                int generation) {
  const std::string& name = file.is.file;
  const limen_plugin* descriptor = nullptr;
  std::string hash;
  if (file.is.own && sha256_wanted.empty() && !copy && !mapped_as_other(name, file.build_id)) {
    descriptor = open_in_place(name);
  } else {
    const bool keep = !copy && sha256_wanted.empty();  // who pins a hash wants these bytes hashed
    const KeptCopies copies;
    const auto kept = keep ? copies.find(file) : std::nullopt;
    const std::string bytes = kept ? "" : read_library(name);
    hash = kept ? kept->hash : sha256(bytes);
    compare_hashes(name, sha256_wanted, hash);
    descriptor = kept ? open_good(kept->path, name) : open_copy(file, bytes, hash);
    if (keep && !kept) copies.keep(file, bytes, hash);
  }
  const bool shipped = std::string_view(descriptor->name).starts_with("org.limen.");
  return std::make_shared<const LoadedPlugin>(LoadedPlugin{.descriptor = descriptor,
                                                           .file = name,
                                                           .shipped = shipped,
                                                           .sha256 = std::move(hash),
                                                           .generation = generation});
}

void check_hash(const LoadedPlugin& plugin, const std::string& wanted) {
  if (wanted.empty()) return;
  const bool known = !plugin.sha256.empty();
  compare_hashes(plugin.file, wanted, known ? plugin.sha256 : sha256(read_library(plugin.file)));
}

void forget_probe(const std::filesystem::path& library) {
  const std::string hash = sha256(read_library(std::filesystem::absolute(library).string()));
  ProbeVerdicts().forget(hash);
  KeptCopies().forget(hash);
}

}  // namespace limen
