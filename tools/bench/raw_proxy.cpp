#include "tools/bench/raw_proxy.h"

#include <zmq.hpp>

#include "tools/bench/raw_echo.h"

namespace genai::bench {

void run_hop(const std::string& front, const std::string& back, bool bind_back) {
  zmq::context_t context;
  zmq::socket_t in(context, zmq::socket_type::router), out(context, zmq::socket_type::dealer);
  set_raw_limits(in);
  set_raw_limits(out);
  in.bind(front);
  bind_back ? out.bind(back) : out.connect(back);
  zmq::proxy(in, out);
}

RawProxy::RawProxy()
    : sockets_(""),
      front_("ipc://" + sockets_.path() + "/front"),
      middle_("ipc://" + sockets_.path() + "/middle"),
      back_("ipc://" + sockets_.path() + "/back"),
      second_("genai-bench", {"hop", "--front", middle_, "--back", back_, "--bind-back"},
              sockets_.path() + "/second.log"),
      first_("genai-bench", {"hop", "--front", front_, "--back", middle_},
             sockets_.path() + "/first.log") {}

void RawProxy::check() const {
  first_.check();
  second_.check();
}

}  // namespace genai::bench
