// Errors as values with a place: everything a user, a file or a plugin can do wrong.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace limen {

// A place in a text. Lines and columns are 1-based, columns count characters (not bytes); line 0
// means "the file as a whole". `text` is the source line itself, so that a renderer needs no file.
struct Span {
  std::string file;
  int line = 0, column = 0;
  int length = 1;  // characters to underline, >= 1
  std::string text;
  std::string label;
};

// One finding. `code` is "E0607" style (see exit_code()); it may be empty for wrong usage.
// The first span is where it happened; the others are related places.
struct Diagnostic {
  std::string code;
  std::string message;  // lower case, no full stop, names what was found and what was expected
  std::vector<Span> spans;
  std::vector<std::string> notes;
  std::vector<std::string> help;  // each one thing the user can do
  bool warning = false;
};

// Exit codes of the command line.
enum class Exit : int {
  ok = 0,
  no = 1,
  usage = 2,
  model = 3,
  data = 4,
  plugin = 5,
  numeric = 6,
  memory = 7,
  bug = 70,
  interrupted = 130,
  terminated = 143,
};

// The exit code a diagnostic code stands for: E00-E04, E06-E08 model, E05 plugin, E09-E10 data,
// E11 numeric, empty usage.
Exit exit_code(std::string_view code);

// Thrown for anything a user, a file or a plugin can cause. Holds one or more diagnostics; the
// first one decides the exit code unless one is given.
class Error : public std::exception {
 public:
  explicit Error(Diagnostic diagnostic);
  explicit Error(std::vector<Diagnostic> diagnostics);
  Error(std::vector<Diagnostic> diagnostics, Exit exit);
  // Short form for errors without a place.
  Error(std::string code, std::string message, std::vector<std::string> help = {});

  const char* what() const noexcept override;  // every diagnostic, short form
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }
  Exit exit() const { return exit_; }

 private:
  std::vector<Diagnostic> diagnostics_;
  Exit exit_;
  std::string what_;
};

enum class ErrorFormat { human, brief, json };  // --error-format human | short | json

// The one renderer. human: rustc's layout with carets and `= help:`; brief:
// `file:12:5: error[E0201]: ...` on one line; json: one object per line (rustc's layout).
// Ends with a newline. `color` adds ANSI colours to the human form only.
std::string render(const Diagnostic& diagnostic, ErrorFormat format, bool color = false);

}  // namespace limen
