internal import Glibc

/// What /proc has of a process whose number and start a record told. Whether it is still that one is asked before and after reading: what is started
/// within the same tick of 10 ms and has the number by then would be taken for it.
struct ProcProcess {
    var name: [UInt8]
    /// Empty: not known.
    var executable: [UInt8]
    /// As they lie in its memory now, each ended by a NUL.
    var arguments: [UInt8]
    var parentPid: UInt32

    /// Nil where it is another by now.
    ///
    /// - Parameters:
    ///   - start: start_boottime of its leader, ns.
    ///   - limit: bytes of arguments.
    init?(_ pid: UInt32, _ start: UInt64, limit: Int) {
        // proc_pid_stat(5): the name, in parentheses, may have any byte but NUL in it.
        guard Self.isSame(pid, start), let status = contents("/proc/\(pid)/stat", limit: 8192), let open = status.firstIndex(of: 0x28),
            let close = status.lastIndex(of: 0x29), open < close
        else { return nil }
        let fields = status[(close + 1)...].split(separator: 0x20)
        name = Array(status[(open + 1)..<close])
        parentPid = fields.count > 1 ? decimal(fields[1]) ?? 0 : 0
        executable = [UInt8](unsafeUninitializedCapacity: 4096) { room, count in
            room.withMemoryRebound(to: CChar.self) { count = max(0, readlink("/proc/\(pid)/exe", $0.baseAddress.unsafelyUnwrapped, $0.count)) }
        }
        arguments = Self.arguments(pid, start, limit: limit) ?? []
        guard Self.isSame(pid, start) else { return nil }
    }

    /// The arguments alone; nil where there are none, or it is another by now.
    static func arguments(_ pid: UInt32, _ start: UInt64, limit: Int) -> [UInt8]? {
        guard limit > 0, isSame(pid, start) else { return nil }
        let descriptor = open("/proc/\(pid)/cmdline", O_RDONLY | O_CLOEXEC)
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
        return isSame(pid, start) ? bytes : nil
    }

    private static func isSame(_ pid: UInt32, _ start: UInt64) -> Bool { FileOpener.start(of: pid) == start / FileOpener.userTick }
}
