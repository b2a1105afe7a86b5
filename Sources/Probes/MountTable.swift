/// The mounts of the host's mount namespace: from (device, path inside its file system) to the host's path.
///
/// Format: Documentation/filesystems/proc.rst, 3.5 /proc/<pid>/mountinfo. Paths are bytes, not text.
package struct MountTable: Sendable {
    package struct Mount: Sendable, Equatable {
        /// s_dev of its file system: major << 20 | minor.
        package var device: UInt32
        /// What of the file system it shows, from that one's root.
        package var root: [UInt8]
        /// Where.
        package var point: [UInt8]
        package var type: String
    }

    package private(set) var mounts: [Mount] = []

    package init() {}

    /// Lines that are not of the format are left out.
    package init(parsing bytes: [UInt8]) {
        for line in bytes.split(separator: 0x0a) {
            let fields = line.split(separator: 0x20, omittingEmptySubsequences: false)
            guard fields.count >= 7, let dash = fields.dropFirst(6).firstIndex(of: [0x2d]), fields.count > dash + 1 else { continue }
            let device = fields[2].split(separator: 0x3a)
            guard device.count == 2, let major = UInt32(String(decoding: device[0], as: UTF8.self)),
                let minor = UInt32(String(decoding: device[1], as: UTF8.self))
            else { continue }
            mounts.append(
                Mount(
                    device: major << 20 | minor, root: Self.unescaped(fields[3]), point: Self.unescaped(fields[4]),
                    type: String(decoding: fields[dash + 1], as: UTF8.self)))
        }
    }

    /// Of pid 1, else of this process.
    package static func ofHost() -> MountTable {
        MountTable(parsing: readBytes("/proc/1/mountinfo") ?? readBytes("/proc/self/mountinfo") ?? [])
    }

    /// Space, tab, newline and backslash stand as \ooo (fs/proc_namespace.c, mangle).
    private static func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
        guard field.contains(0x5c) else { return Array(field) }
        var out: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == 0x5c, digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) }) {
                out.append(UInt8(truncatingIfNeeded: digits.reduce(0) { $0 << 3 | Int($1 - 0x30) }))
                rest = rest.dropFirst(3)
            } else {
                out.append(byte)
            }
        }
        return out
    }

    /// The host's path of an object into `path`; false where the host has no mount that shows it. Of several mounts, the first that
    /// `prefers` its path, else the first.
    package func hostPath(
        device: UInt32, inner: UnsafeRawBufferPointer, into path: inout [UInt8], prefers: ([UInt8]) -> Bool
    ) -> Bool {
        var found = false
        for mount in mounts where mount.device == device {
            guard let rest = Self.below(mount.root, inner) else { continue }
            if found {
                var other = mount.point
                Self.join(&other, inner[rest...])
                if prefers(other) {
                    path = other
                    return true
                }
                continue
            }
            path.removeAll(keepingCapacity: true)
            path.append(contentsOf: mount.point)
            Self.join(&path, inner[rest...])
            if prefers(path) { return true }
            found = true
        }
        return found
    }

    private static func join(_ path: inout [UInt8], _ rest: Slice<UnsafeRawBufferPointer>) {
        if rest.isEmpty { return }
        if path.last == 0x2f { path.removeLast() }
        path.append(contentsOf: rest)
    }

    /// Where in `inner` what lies below `root` begins (at its "/"); nil when it does not lie below it.
    private static func below(_ root: [UInt8], _ inner: UnsafeRawBufferPointer) -> Int? {
        if root.count == 1 { return inner.count == 1 ? 1 : 0 }
        guard inner.count >= root.count, inner.prefix(root.count).elementsEqual(root) else { return nil }
        if inner.count == root.count { return root.count }
        return inner[root.count] == 0x2f ? root.count : nil
    }
}
