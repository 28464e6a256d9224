// What the terminal behind a descriptor can do.
#pragma once

namespace genai::ctl {

/// Whether lines can be drawn over there: it is a terminal, and TERM does not call it dumb.
bool can_redraw(int fd);

}  // namespace genai::ctl
