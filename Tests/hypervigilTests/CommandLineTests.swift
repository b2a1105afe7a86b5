import Foundation
import Testing

/// The program as users run it.
struct CommandLineTests {
    struct Outcome {
        let code: Int32
        let output: String
        let errors: String

        /// What standard error has, line by line.
        var lines: [String] { errors.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init) }
    }

    @Test(arguments: [[], ["--help"], ["help"]])
    func helpListsWhatExists(arguments: [String]) throws {
        let outcome = try run(arguments)
        #expect(outcome.code == 0)
        #expect(outcome.errors.isEmpty)
        #expect(outcome.output.contains("USAGE: hypervigil <subcommand>"))
        #expect(outcome.output.contains("\n  config "))
        #expect(outcome.output.hasSuffix("\n"))
    }

    @Test func version() throws {
        let outcome = try run(["--version"])
        #expect(outcome.code == 0)
        #expect(outcome.output.split(separator: ".").count == 3)
        #expect(outcome.errors.isEmpty)
    }

    @Test(arguments: [
        (["nonsense"], "hypervigil: unexpected argument 'nonsense'; see hypervigil --help"),
        (["config", "chek"], "hypervigil: unexpected argument 'chek'; see hypervigil config --help"),
        (["tenants", "--only", "exec"], "hypervigil: unknown option '--only'; see hypervigil tenants --help"),
        (["config", "show", "--nope"], "hypervigil: unknown option '--nope'; see hypervigil config show --help"),
        (
            ["config", "show", "--confg"],
            "hypervigil: unknown option '--confg'. Did you mean '--config'? See hypervigil config show --help"
        ),
        (["config", "show", "--config"], "hypervigil: missing value for '--config <file>'; see hypervigil config show --help"),
        (["config", "show", "a\nb"], "hypervigil: unexpected argument 'a b'; see hypervigil config show --help"),
        (
            ["config", "show", "--ring-size", "5"],
            "hypervigil: --ring-size: rings.bulk_size: 5 can't be the size of a ring; use a power of two, 4KiB to 1GiB, or 0"
        ),
        (["config", "check", "--only", ""], "hypervigil: --only: capture.only: the list is empty; name at least 1"),
        (
            ["config", "show", "--backend", "kprobe"],
            "hypervigil: --backend: capture.backend: \"kprobe\" is not one of auto, fentry, tracepoint; the nearest is auto"
        ),
    ])
    func aWrongUseIsOneLineAndExitCode64(arguments: [String], line: String) throws {
        let outcome = try run(arguments)
        #expect(outcome.code == 64)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors == line + "\n")
    }

    @Test func aWrongFilterIsShownWithACaret() throws {
        let outcome = try run(["watch", "--filter", "process.pid == 1 and nam == 2"])
        #expect(outcome.code == 64)
        #expect(
            outcome.lines == [
                "hypervigil: --filter: events.filter: unknown field \"nam\"; the nearest is process.name", "process.pid == 1 and nam == 2",
                "                     ^^^",
            ])
        try withFile("events:\n  filter: |\n    process.pid == 1 and\n    user.id = 0\n") { path in
            let check = try run(["config", "check", "--config", path])
            #expect(check.code == 78)
            #expect(check.lines.count == 3)
            #expect(check.lines.first?.hasPrefix("\(path):2:11: events.filter: = is no sign of this language") == true)
            #expect(check.lines.dropFirst().first == "process.pid == 1 and\\nuser.id = 0\\n")
        }
    }

    @Test func checkPrintsEveryErrorAndShowTheFirst() throws {
        try withFile("files: {wach: 1}\nrings: {wake_at: 99}\n") { path in
            let first = "\(path):1:9: unknown key \"files.wach\"; the nearest valid key is files.watch"
            let second = "\(path):2:18: rings.wake_at: 99 is out of range; use 1 to 90"
            let check = try run(["config", "check", "--config", path])
            #expect(check.code == 78)
            #expect(check.lines == [first, second])
            let show = try run(["config", "show", "--config", path])
            #expect(show.code == 78)
            #expect(show.lines == [first])
            #expect(show.output.isEmpty)
        }
    }

    @Test func aMissingNamedFileIsAnError() throws {
        let outcome = try run(["config", "check", "--config", "/nonexistent/h.yaml"])
        #expect(outcome.code == 78)
        #expect(outcome.lines.count == 1)
    }

    @Test func showIsAConfigurationThatShowsTheSame() throws {
        try withFile("rings: {wake_at: 7}\nfiles: {ignore: [\"/a\\nb\"]}\n") { path in
            let arguments = ["--ring-size", "65536", "--only", "exec,module", "--path", "/x", "--path", "y", "--backend", "tracepoint"]
            let first = try run(["config", "show", "--config", path] + arguments)
            #expect(first.code == 0)
            #expect(first.output.contains("  # From: \(path):1\n  wake_at: 7\n"))
            #expect(first.output.contains("  # From: --ring-size\n  bulk_size: 64KiB\n"))
            #expect(first.output.contains("  # From: --only\n  only: [exec, module]\n"))
            #expect(first.output.contains("  # From: --backend\n  backend: tracepoint\n"))
            #expect(first.output.contains("  watch: [/x, \(FileManager.default.currentDirectoryPath)/y]\n"))
            try withFile(first.output) { path in
                let second = try run(["config", "show", "--config", path])
                #expect(second.code == 0)
                #expect(values(second.output) == values(first.output))
            }
        }
    }

    @Test func dotsInPathsAreResolved() throws {
        let outcome = try run(["config", "show", "--path", "/proc/self/.."])
        #expect(outcome.output.contains("  watch: [/proc]\n"))
        #expect(try run(["config", "show", "--path", "/nonexistent/../x"]).code == 64)
    }

    @Test func aFullDiskIsNoticed() throws {
        let outcome = try run(["config", "show"], output: FileHandle(forWritingAtPath: "/dev/full"))
        #expect(outcome.code == 74)
        #expect(outcome.lines == ["hypervigil: standard output: No space left on device; make room or name another place"])
    }

    // MARK: -

    private func values(_ listing: String) -> [Substring] {
        listing.split(separator: "\n").filter { !$0.hasPrefix("  # From:") }
    }

    private func withFile(_ text: String, _ body: (_ path: String) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("command-line-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let path = directory.appendingPathComponent("h.yaml").path
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        try body(path)
    }

    /// - Parameter output: where standard output goes; nil: into the outcome.
    private func run(_ arguments: [String], output: FileHandle? = nil) throws -> Outcome {
        let process = Process()
        // The tests and the program are built into the same directory.
        let test = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        process.executableURL = URL(fileURLWithPath: test).deletingLastPathComponent().appendingPathComponent("hypervigil")
        process.arguments = arguments
        let outputPipe = Pipe()
        let errorPipe = Pipe()
        process.standardOutput = output ?? outputPipe
        process.standardError = errorPipe
        try process.run()
        // Neither is more than a pipe holds.
        process.waitUntilExit()
        let outputText = output == nil ? String(decoding: outputPipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self) : ""
        let errorText = String(decoding: errorPipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        return Outcome(code: process.terminationStatus, output: outputText, errors: errorText)
    }
}
