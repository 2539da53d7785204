#include "isolated_verb.hpp"

#include <fmt/format.h>

namespace limen::tools {

Exit run_on_plugins(Context& context, const std::string& subject, int seconds,
                    const std::function<IsolatedAnswer()>& work,
                    const std::function<void(const std::string&)>& show) {
  const IsolatedResult result = run_isolated(
      [&]() -> IsolatedAnswer {
        try {
          return work();
        } catch (const Error& error) {
          context.messages.show(error);
          return {error.exit(), ""};
        } catch (const std::exception& error) {
          context.messages.raw(fmt::format("error: {}\n", error.what()));
          return {Exit::bug, ""};
        }
      },
      seconds);
  if (!result.completed) {
    throw Error("E0519", fmt::format("{}: the plugin was {}", subject, result.death));
  }
  if (!result.payload.empty()) show(result.payload);
  return result.exit;
}

}  // namespace limen::tools
