internal import Attribution
internal import Events
internal import Glibc
internal import KernelABI
internal import Probes
internal import Redaction
internal import Rings

/// What processes that were there before the monitor were started with, of which only /proc knows.
final class RunningProcesses {
    /// Bytes of arguments that are read.
    private let limit: Int
    private let redactor: Redactor?

    init(limit: Int, _ redactor: Redactor?) {
        self.limit = limit
        self.redactor = redactor
    }

    /// Without their secrets.
    private func masked(_ arguments: [UInt8]) -> [UInt8] {
        var scratch = RedactionScratch(redactor)
        guard let redactor, redactor.redact(arguments: arguments.span.bytes, into: &scratch) > 0 else { return arguments }
        return scratch.bytes.withUnsafeBytes { Array($0) }
    }

    /// Arguments as they lie in a process's memory now, each ended by a NUL; nil where it is not the process of the record any more, or has none.
    func arguments(_ view: borrowing ProcessView) -> [UInt8]? {
        let actor = view.actor
        // Threads of the kernel's have none.
        guard limit > 0, view.executable.inode != 0, Self.isSame(actor.pid, actor.start) else { return nil }
        guard let bytes = Self.arguments(of: actor.pid, limit: limit), Self.isSame(actor.pid, actor.start) else { return nil }
        return masked(bytes)
    }

    /// What /proc has of a process; nil where it is another by now.
    func process(_ pid: UInt32, _ start: UInt64) -> ProcProcess? {
        guard Self.isSame(pid, start), let status = try? readFile("/proc/\(pid)/stat"), let open = status.firstIndex(of: UInt8(ascii: "(")),
            let close = status.lastIndex(of: UInt8(ascii: ")")), open < close
        else { return nil }
        let fields = status[status.index(after: close)...].split(separator: UInt8(ascii: " "))
        let executable = [UInt8](unsafeUninitializedCapacity: 4096) { room, count in
            let start = UnsafeMutableRawPointer(room.baseAddress.unsafelyUnwrapped).assumingMemoryBound(to: CChar.self)
            count = max(0, readlink("/proc/\(pid)/exe", start, 4096))
        }
        let found = ProcProcess(
            name: Array(status[status.index(after: open)..<close]), executable: executable, arguments: masked(Self.arguments(of: pid, limit: limit) ?? []),
            parentPid: fields.count > 1 ? UInt32(String(decoding: fields[1], as: UTF8.self)) ?? 0 : 0)
        return Self.isSame(pid, start) ? found : nil
    }

    private static func arguments(of pid: UInt32, limit: Int) -> [UInt8]? {
        let descriptor = open("/proc/\(pid)/cmdline", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return [UInt8](unsafeUninitializedCapacity: limit) { room, count in
            while count < limit {
                let got = read(descriptor, room.baseAddress.map { $0 + count }, limit - count)
                if got < 0 && errno == EINTR { continue }
                guard got > 0 else { break }
                count += got
            }
        }
    }

    /// Whether a pid is still that of a process that started then: proc(5), stat, field 22, in ticks of 10 ms. What is taken for the same although it
    /// is not started within one tick of the other and got its number.
    private static func isSame(_ pid: UInt32, _ start: UInt64) -> Bool {
        guard let stat = try? readFile("/proc/\(pid)/stat"), let name = stat.lastIndex(of: UInt8(ascii: ")")) else { return false }
        let fields = stat[stat.index(after: name)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19, let ticks = UInt64(String(decoding: fields[19], as: UTF8.self)) else { return false }
        return ticks == start / (1_000_000_000 / UInt64(max(1, sysconf(Int32(_SC_CLK_TCK)))))
    }
}

extension Pipeline {
    /// Processes that were there before the programs: all that start from now on are seen to.
    func takeOverProcesses() {
        guard let records = probes.processes() else { return }
        takeOver(records)
    }
}
