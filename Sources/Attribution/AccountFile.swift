internal import Glibc
internal import KernelABI

/// /etc/passwd or /etc/group at one time.
struct AccountFile: Sendable {
    /// What a file was when it was read; all 0: there was none.
    struct Stamp: Hashable, Sendable {
        var device: UInt64 = 0
        var inode: UInt64 = 0
        var size: Int64 = 0
        var modified: Int64 = 0
        var changed: Int64 = 0
    }

    let stamp: Stamp
    let names: NameList

    static let none = AccountFile(stamp: Stamp(), names: .empty)

    /// The host's own, of any size that a site may have.
    /// - Returns: nil: it is still what `known` says.
    static func host(_ path: String, known: Stamp?) -> AccountFile? {
        take(hv_open_regular(path), known, mostBytes: 64 << 20, .host)
    }

    /// A tenant's, beneath its root directory.
    static func tenant(root: Int32, _ path: String, known: Stamp?) -> AccountFile? {
        take(hv_open_in_root(root, path), known, mostBytes: 1 << 20, .tenant)
    }

    private static func take(_ descriptor: Int32, _ known: Stamp?, mostBytes: Int, _ limits: NameList.Limits) -> AccountFile? {
        guard descriptor >= 0 else { return known == Stamp() ? nil : AccountFile.none }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return AccountFile.none }
        let stamp = Stamp(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size),
            modified: nanoseconds(status.st_mtim), changed: nanoseconds(status.st_ctim))
        if stamp == known { return nil }
        guard let (text, whole) = readUpTo(mostBytes, descriptor) else { return AccountFile.none }
        return AccountFile(stamp: stamp, names: NameList.parse(text, whole: whole, limits: limits))
    }

    private static func nanoseconds(_ time: timespec) -> Int64 { Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec) }
}

/// The first bytes of what a descriptor reads; nil where that fails.
/// - Returns: `whole`: the end was reached.
func readUpTo(_ most: Int, _ descriptor: Int32) -> (bytes: [UInt8], whole: Bool)? {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 32 << 10)
    while bytes.count < most {
        let count = read(descriptor, &chunk, min(chunk.count, most - bytes.count))
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { return nil }
        if count == 0 { return (bytes, true) }
        bytes += chunk[..<count]
    }
    return (bytes, false)
}

/// The same by path; nil where it can't be opened either.
func readUpTo(_ most: Int, _ path: String) -> (bytes: [UInt8], whole: Bool)? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return readUpTo(most, descriptor)
}
