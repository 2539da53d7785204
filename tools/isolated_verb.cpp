#include "isolated_verb.hpp"

#include <new>

#include <fmt/format.h>

namespace limen::tools {

IsolatedAnswer answer_of(Context& context, const std::function<IsolatedAnswer()>& work) {
  try {
    return work();
  } catch (const Error& error) {
    context.messages.show(error);
    return {error.exit(), ""};
  } catch (const std::bad_alloc&) {
    context.messages.raw("error: out of memory\n");
    return {Exit::memory, ""};
  } catch (const std::exception& error) {
    context.messages.raw(fmt::format("error: {}\n", error.what()));
    return {Exit::bug, ""};
  }
}

Exit run_on_plugins(Context& context, const std::string& subject, int seconds,
                    const std::function<IsolatedAnswer()>& work,
                    const std::function<void(const std::string&)>& show) {
  const IsolatedResult result = run_isolated([&] { return answer_of(context, work); }, seconds);
  if (!result.completed) {
    throw Error("E0519", fmt::format("{}: the plugin was {}", subject, result.death));
  }
  if (!result.payload.empty()) show(result.payload);
  return result.exit;
}

}  // namespace limen::tools
