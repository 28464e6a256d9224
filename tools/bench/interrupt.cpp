#include "tools/bench/interrupt.h"

#include <poll.h>

namespace genai::bench {

void Interrupt::check() const {
  pollfd item{signals_.fd(), POLLIN, 0};
  if (poll(&item, 1, 0) > 0) throw Interrupted();
}

}  // namespace genai::bench
