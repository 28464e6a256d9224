// What clients want to know of tasks, nodes and the dispatcher itself.
#include <fmt/format.h>

#include <utility>

#include "dispatcher/desk/desk.h"
#include "dispatcher/desk/limits.h"
#include "dispatcher/desk/permissions.h"
#include "protocol/wire/codec.h"

namespace genai::dispatcher {
namespace {

std::optional<TaskStatus> status_named(std::string_view text) {
  for (std::uint8_t i = 0; i <= kMaxTaskStatus; ++i)
    if (name(static_cast<TaskStatus>(i)) == text) return static_cast<TaskStatus>(i);
  return std::nullopt;
}

struct Filter {
  std::optional<TaskStatus> status;
  std::optional<TaskId> after;
  std::size_t limit = 100;
};

/// Keys that are not known are ignored, as in every open map.
Expected<Filter> read_filter(const ValueMap& map) {
  const auto wrong = [](const char* key, const std::string& wanted) {
    return fail(ErrorCode::kBadField, fmt::format("LIST.filter: key '{}': {}", key, wanted));
  };
  Filter filter;
  if (const auto it = map.find("status"); it != map.end()) {
    const auto* text = std::get_if<std::string>(&it->second.v);
    if (text) filter.status = status_named(*text);
    if (!filter.status) return wrong("status", "expected the name of a status");
  }
  if (const auto it = map.find("after"); it != map.end()) {
    const auto* text = std::get_if<std::string>(&it->second.v);
    if (text) filter.after = TaskId::parse(*text);
    if (!filter.after) return wrong("after", "expected a task id");
  }
  if (const auto it = map.find("limit"); it != map.end()) {
    const auto* number = std::get_if<std::int64_t>(&it->second.v);
    if (!number || *number < 1 || *number > std::int64_t{limits::kMaxBatchEntries})
      return wrong("limit",
                   fmt::format("expected an integer from 1 to {}", limits::kMaxBatchEntries));
    filter.limit = static_cast<std::size_t>(*number);
  }
  return filter;
}

}  // namespace

void Desk::on(const msg::StatusQuery& message, const Now& now) {
  msg::Tasks tasks{message.request, {}, false};
  Explanations explanations;
  for (const TaskId& id : message.ids)
    if (const TaskView task = tasks_.peek(id); task && may_see(*asking_.who, task->spec.tenant()))
      tasks.tasks.push_back(reports_.task(*task, progress_of(*task), true, now, explanations));
  reply(std::move(tasks));
}

void Desk::on(const msg::List& message, const Now& now) {
  if (const Listing* under_way = listings_.of(asking_.peer);
      under_way || listings_.is_full_for(payer())) {
    if (under_way && under_way->page.request == message.request) return;  // it was repeated
    return slow_down(message.request);
  }
  const auto filter = read_filter(message.filter);
  if (!filter) return refuse(message.request, filter.error(), now);
  Listing listing{asking_.peer, *asking_.who, filter->status, filter->limit, filter->after, {}};
  listing.page.request = message.request;
  std::size_t looks = Listings::kTurn;
  if (look_on(listing, looks, now))
    reply(std::move(listing.page));
  else
    listings_.add(std::move(listing));
}

/// True when its page is complete; takes from `looks` how many tasks it looked at.
bool Desk::look_on(Listing& listing, std::size_t& looks, const Now& now) {
  constexpr std::size_t kLooksPerUnit = 16;  // most are passed over
  const std::size_t before = looks, listed = listing.page.tasks.size();
  Explanations explanations;
  const auto report = [&](const Task& task) {
    return reports_.task(task, progress_of(task), false, now, explanations);
  };
  auto it = listing.after ? tasks_.after(*listing.after) : tasks_.begin();
  for (; it != tasks_.end() && looks > 0 && !listing.page.more; ++it, --looks) {
    listing.after = TaskId::parse(it->id());
    if (listing.status && it->status() != *listing.status) continue;
    if (!may_see(listing.asker, it->tenant())) continue;
    if (listing.page.tasks.size() >= listing.limit)
      listing.page.more = true;
    else
      listing.page.tasks.push_back(report(*TaskView(*it)));
  }
  rates_.charge(listing.payer(),
                listing.page.tasks.size() - listed + (before - looks) / kLooksPerUnit, now.mono);
  return it == tasks_.end() || listing.page.more;
}

void Desk::answer_listings(const Now& now) {
  std::size_t looks = Listings::kTurn;
  while (!listings_.empty() && looks > 0) {
    Listing& listing = listings_.front();
    if (!look_on(listing, looks, now)) return listings_.rotate();
    tell(desk_event::Reply{listing.peer, std::move(listing.page)});
    listings_.pop();
  }
}

void Desk::on(const msg::NodesQuery& message, const Now& now) {
  rates_.charge(payer(), placement_.providers().size(), now.mono);
  std::map<std::string, ValueMap> by_name;
  for (const auto& [session, provider] : placement_.providers().sessions())
    by_name[provider->node_id.str()] = reports_.node(*provider, message.measured, now);
  msg::NodeList list{message.request, {}};
  std::size_t bytes = 0;
  for (auto& [node_id, map] : by_name) {
    if (list.nodes.size() == limits::kMaxSnapshotEntries) break;
    // The lists of models are all that can be long; a reply must stay within a frame.
    bytes += encode_map({{"", map["models"]}, {" ", map["loaded_models"]}}).size();
    if (message.measured) bytes += encode_map({{"", map["measured"]}}).size();
    if (bytes > kMaxModelBytes) {
      map.erase("models");
      map.erase("loaded_models");
      map.erase("measured");
    }
    list.nodes.push_back(std::move(map));
  }
  reply(std::move(list));
}

void Desk::on(const msg::StatsQuery& message, const Now& now) {
  reply(msg::Stats{message.request, reports_.stats(store_, is_draining(), now)});
}

// ---- time

void Desk::expire(const Now& now) {
  clients_.tick(now.mono);
  deliver(now);
  answer_listings(now);
}

Duration Desk::next_deadline() const {
  return listings_.empty() ? clients_.next_deadline() : Duration{0};
}

}  // namespace genai::dispatcher
