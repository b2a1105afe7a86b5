internal import Glibc

/// What of this process's capabilities capturing needs (include/uapi/linux/capability.h).
package enum Capabilities {
    /// Names of those that are missing from the effective set. CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, as in the kernel.
    package static func missing(effective: UInt64 = effective()) -> [String] {
        func has(_ bit: UInt64) -> Bool { effective & (1 << bit) != 0 }
        let administrator = has(21)
        var names: [String] = []
        if !has(39) && !administrator { names.append("CAP_BPF") }
        if !has(38) && !administrator { names.append("CAP_PERFMON") }
        // Paths and inodes of watched trees, whoever owns them.
        if !has(2) && !has(1) { names.append("CAP_DAC_READ_SEARCH") }
        // LSM and fentry programs read kernel memory and attach to it; the kernel asks for this one for some of it before 5.8 and for iterators over all tasks.
        if !administrator { names.append("CAP_SYS_ADMIN") }
        return names
    }

    /// CapEff of /proc/thread-self/status; all where /proc can't be read, so that the kernel decides.
    package static func effective() -> UInt64 {
        guard let status = readFile("/proc/thread-self/status"), let line = status.split(separator: "\n").first(where: { $0.hasPrefix("CapEff:") })
        else { return .max }
        return UInt64(line.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16) ?? .max
    }
}

/// A small file as text, nil where it can't be read.
func readFile(_ path: String) -> String? {
    readBytes(path).map { String(decoding: $0, as: UTF8.self) }
}

/// A file's bytes, however the kernel chops them.
func readBytes(_ path: String) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return readBytes(from: descriptor)
}

func readBytes(from descriptor: Int32) -> [UInt8]? {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(descriptor, &chunk, chunk.count)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { return nil }
        if count == 0 { return bytes }
        bytes += chunk[..<count]
    }
}
