#include "tools/ctl/pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

namespace genai::ctl {

void show_pages(Session& session, std::optional<client::Status> status,
                const std::function<void(const std::vector<client::TaskInfo>&)>& show) {
  constexpr std::uint64_t kPage = 1000;
  const Options& options = session.options;
  std::string after = options.after;
  std::uint64_t left = options.all ? UINT64_MAX : options.limit;
  client::TaskPage page;
  do {
    page = session.client.list_page(status, after, std::min(kPage, left));
    left -= page.tasks.size();
    if (!page.tasks.empty()) after = page.tasks.back().id;
    show(page.tasks);
    if (!std::cout) return;  // nobody reads on
  } while (page.more && !page.tasks.empty() && left > 0);
  if (!page.more || options.all) return;
  complain(fmt::format("{} shown, there are more: --after {} goes on, --all shows all of them",
                       tasks_text(options.limit), after));
}

}  // namespace genai::ctl
