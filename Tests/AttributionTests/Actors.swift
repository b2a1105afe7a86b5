import Glibc
import KernelABI
import Rings
import Testing

/// SplitMix64: what fails can be run again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

/// An actor's view, out of the record of a fork.
func withActor<Result>(_ change: (inout hv_actor) -> Void, _ body: (borrowing ActorView) throws -> Result) rethrows -> Result {
    var actor = hv_actor()
    (actor.login_uid, actor.session) = (.max, .max)
    change(&actor)
    var header = hv_header()
    header.size = UInt32(MemoryLayout<hv_fork>.size)
    header.kind = UInt16(HV_KIND_FORK.rawValue)
    let record = hv_fork(header: header, actor: actor, forker_start: 0, forker_pid: 0, reserved: 0)
    let bytes = withUnsafeBytes(of: record) { [UInt8]($0) }
    guard let view = ForkView(bytes.span.bytes) else { fatalError("no record") }
    return try body(view.actor)
}

func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }

/// Calls until it says true; a test that waits in vain fails.
func until(_ what: String, _ done: () throws -> Bool) rethrows {
    for _ in 0..<6000 {
        if try done() { return }
        usleep(5000)
    }
    Issue.record("\(what): not after 30 s")
}

/// A folder of its own, removed with all in it.
final class AccountFolder {
    let path: String

    init() {
        var template = Array("/tmp/hypervigil-attribution-XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template))
        chmod(path, 0o755)
    }

    deinit { run("/bin/rm", ["-rf", "--one-file-system", path]) }

    func write(_ name: String, _ content: String) {
        let descriptor = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        let bytes = Array(content.utf8)
        precondition(descriptor >= 0 && Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
    }
}

@discardableResult
func run(_ program: String, _ arguments: [String]) -> Int32 {
    var pid = pid_t()
    var words = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    guard posix_spawnp(&pid, program, nil, nil, &words, environ) == 0 else { return -1 }
    var status: Int32 = 0
    waitpid(pid, &status, 0)
    return status
}

/// A process that says a line when it is where it is to be, and goes on with each line that it is told.
final class Child {
    let pid: pid_t
    private let input: Int32
    private let output: Int32

    init(_ arguments: [String]) throws {
        var to: [Int32] = [0, 0]
        var from: [Int32] = [0, 0]
        try #require(pipe(&to) == 0 && pipe(&from) == 0)
        for end in to + from { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, to[0], 0)
        posix_spawn_file_actions_adddup2(&actions, from[1], 1)
        var pid = pid_t()
        var words = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        try #require(posix_spawnp(&pid, arguments[0], &actions, nil, &words, environ) == 0)
        posix_spawn_file_actions_destroy(&actions)
        close(to[0])
        close(from[1])
        (self.pid, input, output) = (pid, to[1], from[0])
    }

    /// False: it ended.
    func line() -> Bool {
        var byte: UInt8 = 0
        while read(output, &byte, 1) == 1 { if byte == 0x0a { return true } }
        return false
    }

    func tell() { _ = write(input, "\n", 1) }

    deinit {
        close(input)
        close(output)
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    func namespace(_ name: String) -> UInt32 {
        var buffer = [CChar](repeating: 0, count: 64)
        let count = readlink("/proc/\(pid)/ns/\(name)", &buffer, buffer.count)
        let digits = buffer[..<max(count, 0)].filter { $0 >= 0x30 && $0 <= 0x39 }.map { UInt8(bitPattern: $0) }
        return UInt32(String(decoding: digits, as: UTF8.self)) ?? 0
    }
}
