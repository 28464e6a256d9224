"""The libraries as a user gets them: installed, found by CMake and by pkg-config, and working."""
import configparser
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from harness import BIN, ROOT, FleetTest

SOURCE = ROOT / "tests/e2e/consumer"


class Installed(FleetTest):
    def run_tool(self, *command, **options):
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                              timeout=240, **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_consumer(self):
        prefix = self.folder / "prefix"
        self.run_tool("cmake", "--install", BIN.parent, "--prefix", prefix)
        for program in ("genai-broker", "genai-dispatcher", "genai-node", "genai-ctl"):
            self.run_tool(prefix / "bin" / program, "--version")

        build = self.folder / "consumer"
        self.run_tool("cmake", "-S", SOURCE, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}")
        self.run_tool("cmake", "--build", build)
        output = self.run_tool(build / "consumer", self.nodes_endpoint, self.clients_endpoint)
        self.assertEqual(output, "A LIGHTHOUSE AT DUSK by consumer\n")

        lib = next(prefix.rglob("pkgconfig")).parent
        env = os.environ | {"PKG_CONFIG_PATH": str(lib / "pkgconfig"), "LD_LIBRARY_PATH": str(lib)}
        flags = self.run_tool("pkg-config", f"--define-variable=prefix={prefix}", "--cflags",
                              "--libs", "genai-client", "genai-node", env=env).split()
        program = self.folder / "by-pkg-config"
        compiler = shutil.which("ccache") and ["ccache", "g++"] or ["g++"]
        self.run_tool(*compiler, "-std=c++20", SOURCE / "main.cpp", "-o", program, *flags)
        output = self.run_tool(program, self.nodes_endpoint, self.clients_endpoint, env=env)
        self.assertEqual(output, "A LIGHTHOUSE AT DUSK by consumer\n")

    def test_the_libraries_alone_ask_for_no_package_of_the_programs(self):
        # By its name as find_package knows it: each is looked up for a program only.
        programs_only = ("CLI11", "Curses", "SQLite3", "SQLiteCpp", "absl", "spdlog", "tomlplusplus", "tsl-robin-map")
        self.run_tool("cmake", "-S", ROOT, "-B", self.folder / "libraries", "-G", "Ninja", "-DBUILD_TESTING=OFF",
                      "-DGENAI_BUILD_DAEMONS=OFF", "-DGENAI_BUILD_TOOLS=OFF",
                      *(f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON" for name in programs_only))
        targets = self.run_tool("ninja", "-C", self.folder / "libraries", "-t", "targets", "all")
        self.assertIn("libgenai-client.so", targets)
        self.assertIn("libgenai-node.so", targets)
        self.assertNotIn("genai-ctl:", targets)

    def public_names(self, part):
        """The classes and functions that the headers of a library mark with GENAI_EXPORT."""
        text = "".join(header.read_text()
                       for header in sorted((ROOT / "tools" / part / "include").rglob("*.h")))
        classes = set(re.findall(r"^(?:class|struct) GENAI_EXPORT (\w+)", text, re.M))
        functions = set(re.findall(r"^GENAI_EXPORT [^(;]*?(\w+)\(", text, re.M))
        return classes, functions

    def test_only_the_public_api_is_visible(self):
        for part, expected in (("client", {"Client", "Session"}), ("node", {"Node", "Reply"})):
            classes, functions = self.public_names(part)
            self.assertLess(expected, classes)
            library = BIN.parent / "tools" / part / f"libgenai-{part}.so"
            lines = self.run_tool("nm", "-D", "-C", "--defined-only", library).splitlines()
            seen = set()
            for line in lines:
                symbol = re.sub(r"^(typeinfo name|typeinfo|vtable) for |\[abi:\w+\]", "",
                                line.split(maxsplit=2)[2])
                with self.subTest(symbol=symbol):
                    # genai::client::Session::process(), but not Session::Impl::turn()
                    found = re.match(rf"genai::{part}::(\w+)(?:::(?:~?\w+|operator=))?(?:\(|$)", symbol)
                    self.assertTrue(found, "is no member of a public class, and no public function")
                    self.assertIn(found[1], classes | functions)
                    seen.add(found[1])
            self.assertEqual(seen, classes | functions)

    def test_the_soname_changes_with_each_minor_version_before_the_first_release(self):
        version = re.search(r"project\(genai-dispatcher VERSION (\d+)\.(\d+)",
                            (ROOT / "CMakeLists.txt").read_text())
        expected = version[1] if version[1] != "0" else f"0.{version[2]}"
        for part in ("client", "node"):
            library = BIN.parent / "tools" / part / f"libgenai-{part}.so"
            told = self.run_tool("readelf", "-d", library)
            self.assertIn(f"Library soname: [libgenai-{part}.so.{expected}]", told)

    def test_services(self):
        prefix = self.folder / "prefix"
        self.run_tool("cmake", "--install", BIN.parent, "--prefix", prefix)
        self.assertIn("u genai ", (prefix / "lib/sysusers.d/genai.conf").read_text())
        for daemon in ("genai-broker", "genai-dispatcher"):
            unit = prefix / f"lib/systemd/system/{daemon}.service"
            parsed = configparser.ConfigParser(strict=False, interpolation=None)
            parsed.optionxform = str
            parsed.read(unit)
            service = parsed["Service"]
            program = pathlib.Path(service["ExecStart"])
            self.assertTrue((prefix / "bin" / program.name).exists())
            self.assertEqual(service["Restart"], "always")
            self.assertIn("MemoryMax", service)
            self.assertIn("LimitNOFILE", service)
            if shutil.which("systemd-analyze"):  # on machines that run systemd
                text = unit.read_text().replace(str(program), str(prefix / "bin" / program.name))
                unit.write_text(text.replace("User=genai", "User=root"))
                told = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], text=True,
                                      capture_output=True, timeout=60)
                self.assertEqual((told.returncode, told.stdout + told.stderr), (0, ""))

    def test_public_headers_need_nothing_but_the_standard_library(self):
        includes = [ROOT / "tools" / part / "include" for part in ("", "client", "node")]
        headers = [path.relative_to(folder) for folder in includes for path in folder.rglob("*.h")]
        self.assertIn(pathlib.Path("genai/client/session.h"), headers)
        for header in headers:
            with self.subTest(header=header):
                compile_it = ("g++", "-std=c++20", *(f"-I{folder}" for folder in includes), "-x", "c++",
                              "-include", header, "/dev/null")
                self.run_tool(*compile_it, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only")
                for needed in self.run_tool(*compile_it, "-M").split():
                    self.assertNotRegex(needed, r"/(zmq|msgpack|fmt|tl|boost|protocol)\b")


if __name__ == "__main__":
    unittest.main()
