internal import Glibc
internal import Events

/// Facts about this machine and this run, and its clocks.
package struct Host: Sendable {
    package let bootID: String
    package let machineID: String
    package let name: String
    package let kernel: String

    package init() {
        func line(_ path: String) -> String {
            (try? String(decoding: readFile(path), as: UTF8.self).split(separator: "\n").first.map(String.init)) ?? ""
        }
        bootID = line("/proc/sys/kernel/random/boot_id")
        machineID = line("/etc/machine-id")
        var names = utsname()
        uname(&names)
        func text<Field>(_ field: Field) -> String { withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }
        name = text(names.nodename)
        kernel = "\(text(names.release)) \(text(names.machine))"
    }

    /// Inode number of the first process's pid namespace, or where that can't be seen of this one's; 0: not known.
    static var pidNamespace: UInt32 {
        var status = stat()
        return stat("/proc/1/ns/pid", &status) == 0 || stat("/proc/self/ns/pid", &status) == 0 ? UInt32(truncatingIfNeeded: status.st_ino) : 0
    }

    func encoderContext() -> EncoderContext {
        EncoderContext(
            bootID: bootID, hostID: machineID, hostName: name, runID: UInt64.random(in: .min ... .max), agentVersion: Monitor.version)
    }
}

package enum Monitor {
    package static let version = "0.1.0"
}

enum Clock {
    /// CLOCK_BOOTTIME, ns: the time of records.
    static var boot: UInt64 { read(CLOCK_BOOTTIME) }

    /// CLOCK_REALTIME minus CLOCK_BOOTTIME, ns.
    static var realtimeOffset: Int64 {
        let before = boot
        let real = read(CLOCK_REALTIME)
        let after = boot
        // Another processor's clock may be a little behind.
        return Int64(real) - Int64(before) - (Int64(after) - Int64(before)) / 2
    }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

struct ReadError: Error {
    let errno: Int32
}

func readFile(_ path: String) throws(ReadError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw ReadError(errno: errno) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16384)
    while true {
        let count = read(descriptor, &chunk, chunk.count)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw ReadError(errno: errno) }
        if count == 0 { return bytes }
        bytes += chunk[..<count]
    }
}
