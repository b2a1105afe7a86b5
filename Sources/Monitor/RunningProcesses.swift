internal import Attribution
internal import Events
internal import Glibc
internal import KernelABI
internal import Probes
internal import Rings

/// What processes that were there before the monitor were started with, of which only /proc knows.
enum RunningProcesses {
    /// Arguments as they lie in a process's memory now, each ended by a NUL; nil where it is not the process of the record any more, or has none.
    ///
    /// - Parameter limit: bytes.
    static func arguments(_ view: borrowing ProcessView, limit: Int) -> [UInt8]? {
        let actor = view.actor
        // Threads of the kernel's have none.
        guard limit > 0, view.executable.inode != 0, isSame(actor.pid, actor.start) else { return nil }
        let descriptor = open("/proc/\(actor.pid)/cmdline", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { room, count in
            while count < limit {
                let got = read(descriptor, room.baseAddress.map { $0 + count }, limit - count)
                if got < 0 && errno == EINTR { continue }
                guard got > 0 else { break }
                count += got
            }
        }
        guard isSame(actor.pid, actor.start) else { return nil }
        return bytes
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
