#include "gradcheck_message.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <map>
#include <type_traits>
#include <utility>
#include <vector>

#include <limen/error.hpp>

namespace limen::tools {
namespace {

class Writer {
 public:
  static constexpr bool kReads = false;

  template <class... Fields>
  void operator()(const Fields&... fields) {
    (put(fields), ...);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;

  void put(const std::string& text) {
    put(text.size());
    bytes_ += text;
  }
  template <class T>
  requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) void put(T value) {
    if constexpr (std::is_floating_point_v<T>) {  // a report has one 0 and one NaN
      value = std::isnan(value) ? std::numeric_limits<T>::quiet_NaN() : value + T{0};
    }
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
};

[[noreturn]] void broken() {
  throw Error("E0519",
              "the report of the process that ran the plugin is damaged: the plugin has written "
              "into memory that is not its own");
}

// Of bytes that a process has sent in which a plugin may have written anywhere.
class Reader {
 public:
  static constexpr bool kReads = true;

  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <class... Fields>
  void operator()(Fields&... fields) {
    (get(fields), ...);
  }
  void end() const {
    if (!bytes_.empty()) broken();
  }

 private:
  std::string_view bytes_;

  std::string_view next(std::size_t size) {
    if (size > bytes_.size()) broken();
    const std::string_view result = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return result;
  }
  void get(std::string& text) {
    std::size_t size = 0;
    get(size);
    text = next(size);
  }
  template <class T>
  requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) void get(T& value) {
    std::memcpy(&value, next(sizeof value).data(), sizeof value);
  }
};

// Each of these lists what there is, for writing and for reading.

template <class Archive, class List, class Each>
void all_of(Archive& archive, List& list, const Each& each) {
  std::size_t size = list.size();
  archive(size);
  if constexpr (Archive::kReads) {
    for (; size > 0; --size) each(list.emplace_back());
  } else {
    std::for_each(list.begin(), list.end(), each);
  }
}

template <class Archive, class Failure>
void visit_failure(Archive& a, Failure& f) {
  a(f.tensor, f.element, f.elements, f.x, f.upstream, f.expected, f.bound, f.got, f.note, f.kind,
    f.left, f.right, f.step, f.noise, f.evaluations, f.point, f.repro);
}

template <class Archive, class Result>
void visit_result(Archive& a, Result& r) {
  a(r.op, r.test, r.check, r.subject, r.verdict, r.severity, r.passed, r.failed, r.undecided,
    r.bound_median, r.bound_max, r.evaluations, r.where, r.likely);
  if (r.verdict > Verdict::fail || r.severity > Severity::wrong) broken();
  all_of(a, r.failures, [&a](auto& failure) { visit_failure(a, failure); });
}

template <class Archive, class Report>
void visit_report(Archive& a, Report& r) {
  a(r.subject, r.plugin, r.sha256, r.abi, r.seed, r.verdict);
  if (r.verdict > Verdict::fail) broken();
  all_of(a, r.checks, [&a](auto& check) { visit_result(a, check); });
  all_of(a, r.notes, [&a](auto& note) { a(note); });
  std::vector<std::pair<std::string, std::string>> facts(r.environment.begin(),
                                                         r.environment.end());
  all_of(a, facts, [&a](auto& fact) { a(fact.first, fact.second); });
  if constexpr (Archive::kReads) r.environment.insert(facts.begin(), facts.end());
}

}  // namespace

std::string packed(const CheckReport& report) {
  Writer writer;
  visit_report(writer, report);
  return writer.take();
}

std::string packed(const Collected& collected) {
  Writer writer;
  writer(collected.broken, collected.failed);
  visit_report(writer, collected.report);
  return writer.take();
}

CheckReport unpacked_report(std::string_view bytes) {
  Reader reader(bytes);
  CheckReport report;
  visit_report(reader, report);
  reader.end();
  return report;
}

Collected unpacked(std::string_view bytes) {
  Reader reader(bytes);
  Collected collected;
  reader(collected.broken, collected.failed);
  visit_report(reader, collected.report);
  reader.end();
  return collected;
}

}  // namespace limen::tools
