// A file's name in a bundle, made fit for this disk and for the one that it may be copied to.
#pragma once

#include <string>
#include <string_view>

namespace genai::ctl {

/// `name` is one that file_name_problem() accepts. Returns a relative path of the same folders with
/// '_' in place of what some system or program treats in a special way: a leading dot, dash or
/// tilde; `<>:"|?*`; characters that a terminal acts on instead of showing them; a trailing dot or
/// blank; and before the names of devices (NUL, COM1, con.txt ...).
std::string safe_name(std::string_view name);

/// "a/b-2.png" of "a/b.png" and 2: for a file whose own name is taken.
std::string numbered_name(const std::string& name, int number);

}  // namespace genai::ctl
