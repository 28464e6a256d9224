// Lists that may be long: so many tasks as were asked for, and a word when there are more.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "tools/ctl/session.h"

namespace genai::ctl {

/// Hands `show` the tasks that --limit, --all and --after ask for, a part at a time; says on stderr
/// when there are more, and how to see them.
void show_pages(Session& session, std::optional<client::Status> status,
                const std::function<void(const std::vector<client::TaskInfo>&)>& show);

}  // namespace genai::ctl
