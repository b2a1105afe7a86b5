import CActs
import Foundation
import Glibc

/// A program that was started with its output in files.
final class Run {
    let pid: Int32
    let outPath: String
    let errorPath: String
    private var ended: Int32?

    /// - Parameter command: the program and its arguments; the program by its full path.
    init(_ context: Context, _ command: [String]) throws {
        let name = String(UInt64.random(in: .min ... .max), radix: 36)
        outPath = "\(context.folder)/out-\(name)"
        errorPath = "\(context.folder)/error-\(name)"
        let out = try call("open \(outPath)", open(outPath, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o644))
        let error = try call("open \(errorPath)", open(errorPath, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o644))
        defer {
            close(out)
            close(error)
        }
        pid = try start(command[0], Array(command.dropFirst()), output: (out, error)) { $0.traced = 1 }
    }

    /// The exit code, or 128 + signal; nil while it runs.
    func status(waitUpTo limit: Double) -> Int32? {
        if let ended { return ended }
        var raw: Int32 = 0
        guard wait(upTo: limit, for: { waitpid(pid, &raw, WNOHANG) == pid ? true : nil }) != nil else { return nil }
        ended = exitCode(raw)
        return ended
    }

    func signal(_ number: Int32) {
        if ended == nil { kill(pid, number) }
    }

    var errorLines: [String] {
        text(of: errorPath).split(separator: "\n").map(String.init)
    }

    func removeOutput() {
        unlink(outPath)
        unlink(errorPath)
    }
}

/// Exit code of a wait status; 128 + signal where one ended it.
func exitCode(_ status: Int32) -> Int32 {
    status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + status & 0x7f
}

/// A `watch` that is watching.
final class Watch {
    private let run: Run
    var pid: Int32 { run.pid }
    var outPath: String { run.outPath }

    /// Starts `watch` and waits until every hook is attached. A guest's emulated processor takes its time for that.
    init(_ context: Context, _ options: [String], wrapper: [String] = []) throws {
        run = try Run(context, wrapper + [context.program, "watch", "--format", "json"] + options)
        let ready = wait(upTo: 300) { () -> Bool? in
            if run.errorLines.contains(where: { $0.hasPrefix("watching") }) { return true }
            return run.status(waitUpTo: 0) == nil ? nil : false
        }
        guard ready == true else {
            let ending = run.status(waitUpTo: 0).map { "ended with \($0)" } ?? "is not watching after 300 s"
            run.signal(SIGKILL)
            _ = run.status(waitUpTo: 10)
            throw Failure("watch \(options.joined(separator: " ")) \(ending): \(run.errorLines.joined(separator: " | "))")
        }
    }

    var errorLines: [String] { run.errorLines }

    /// What it printed is no longer wanted.
    func removeOutput() { run.removeOutput() }

    /// SIGINT, then what it printed. Every line has to be JSON.
    ///
    /// - Parameter keep: lines that don't contain one of these are dropped unparsed (nil: all are parsed).
    func stop(keep: [String]? = nil) throws -> [Event] {
        try interrupt()
        return try events(keep: keep)
    }

    func interrupt() throws {
        run.signal(SIGINT)
        guard let status = run.status(waitUpTo: 120) else {
            run.signal(SIGKILL)
            _ = run.status(waitUpTo: 10)
            throw Failure("watch did not end within 120 s of SIGINT")
        }
        try expectEqual(status, 0, "exit code after SIGINT (\(errorLines.joined(separator: " | ")))")
        try expect(errorLines.last?.hasPrefix("captured") == true, "the last line does not begin with `captured`: \(errorLines)")
    }

    func kill() {
        run.signal(SIGKILL)
        _ = run.status(waitUpTo: 10)
    }

    func events(keep: [String]? = nil) throws -> [Event] {
        try lines(containing: keep).map(Event.init(line:))
    }

    /// The lines printed, those only that contain one of `needles`.
    func lines(containing needles: [String]? = nil) throws -> [Data] {
        guard let all = FileManager.default.contents(atPath: outPath) else { return [] }
        if let last = all.last, last != UInt8(ascii: "\n"), run.status(waitUpTo: 0) != nil {
            throw Failure("the output ends within a line")
        }
        let needles = needles?.map { [UInt8]($0.utf8) }
        return all.split(separator: UInt8(ascii: "\n")).filter { line in
            guard let needles else { return true }
            return line.withUnsafeBytes { bytes in
                needles.contains { acts_contains(bytes.baseAddress, bytes.count, $0, $0.count) != 0 }
            }
        }
    }
}

/// Start `path` with `arguments` (after argv[0], which is the path), in one of the ways of ``acts_exec``.
func start(
    _ path: String, _ arguments: [String], output: (Int32, Int32) = (-1, -1), adjust: (inout acts_exec) -> Void = { _ in }
) throws -> Int32 {
    try start(path, arguments.map { Array($0.utf8) }, output: output, adjust: adjust)
}

func start(
    _ path: String, _ arguments: [[UInt8]], output: (Int32, Int32) = (-1, -1), adjust: (inout acts_exec) -> Void = { _ in }
) throws -> Int32 {
    var argv: [UnsafeMutablePointer<CChar>?] = ([Array(path.utf8)] + arguments).map { argument in
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: argument.count + 1)
        for (index, byte) in argument.enumerated() { copy[index] = CChar(bitPattern: byte) }
        copy[argument.count] = 0
        return copy
    }
    argv.append(nil)
    defer { for argument in argv { argument?.deallocate() } }
    fflush(nil)
    return try path.withCString { pathBytes in
        try argv.withUnsafeBufferPointer { argvBytes in
            var exec = acts_exec()
            exec.path = pathBytes
            exec.argv = argvBytes.baseAddress
            exec.way = ACTS_EXECVE
            exec.fd = -1
            exec.out = output.0
            exec.error = output.1
            adjust(&exec)
            return try act("fork", acts_start(&exec))
        }
    }
}

/// The same, until it ends.
func finish(_ path: String, _ arguments: [String] = [], adjust: (inout acts_exec) -> Void = { _ in }) throws -> (pid: Int32, status: Int32) {
    let pid = try start(path, arguments, adjust: adjust)
    return (pid, try act("wait", acts_wait(pid)))
}
