internal import Glibc
internal import KernelABI

/// The cgroups that there are, read from the mounted hierarchies.
package enum CgroupWalk {
    package struct Root: Equatable, Sendable {
        package var hierarchy: CgroupHierarchy
        /// Where it is mounted.
        package var path: String

        package init(hierarchy: CgroupHierarchy, path: String) {
            self.hierarchy = hierarchy
            self.path = path
        }
    }

    /// Mounts of version 2 and of the two hierarchies of version 1 that records go by, each whole one once.
    /// - Parameter mountinfo: proc_pid_mountinfo(5).
    package static func roots(mountinfo: String) -> [Root] {
        var roots: [Root] = []
        for line in mountinfo.split(separator: "\n") {
            let halves = line.components(separator: " - ")
            guard let (mount, system) = halves else { continue }
            let fields = mount.split(separator: " ")
            let rest = system.split(separator: " ")
            // A mount of a part of it, as in containers, has other paths.
            guard fields.count >= 5, rest.count >= 3, fields[3] == "/" else { continue }
            let options = rest[2].split(separator: ",")
            let hierarchy: CgroupHierarchy
            switch rest[0] {
            case "cgroup2": hierarchy = .unified
            case "cgroup" where options.contains("memory"): hierarchy = .memory
            case "cgroup" where options.contains("pids"): hierarchy = .pids
            default: continue
            }
            if !roots.contains(where: { $0.hierarchy == hierarchy }) { roots.append(Root(hierarchy: hierarchy, path: unescaped(fields[4]))) }
        }
        return roots
    }

    package static func roots() -> [Root] {
        roots(mountinfo: String(decoding: HostFiles().read("/proc/self/mountinfo", limit: HostFiles.most) ?? [], as: UTF8.self))
    }

    /// Which hierarchy has which number in the kernel (cgroup_root.hierarchy_id, as tracepoints tell it).
    /// - Parameter cgroups: /proc/cgroups.
    package static func numbers(cgroups: String) -> [UInt32: CgroupHierarchy] {
        var numbers: [UInt32: CgroupHierarchy] = [0: .unified]
        for line in cgroups.split(separator: "\n") {
            let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            guard fields.count >= 2, let number = UInt32(fields[1]), number != 0 else { continue }
            // Both on one hierarchy: bpf/lib/task.h asks for memory first.
            if fields[0] == "memory" { numbers[number] = .memory }
            if fields[0] == "pids", numbers[number] == nil { numbers[number] = .pids }
        }
        return numbers
    }

    /// Spaces and backslashes are octal there.
    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == 0x5c, rest.count >= 3, rest.prefix(3).allSatisfy({ (0x30...0x37).contains($0) }) {
                let value = rest.prefix(3).reduce(0) { $0 * 8 + Int($1 - 0x30) }
                bytes.append(UInt8(truncatingIfNeeded: value))
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Folders nest no deeper than this: what tenants may make is their choice.
    private static let deepest = 64

    /// Each group of a hierarchy but its root, those above before those below.
    /// - Parameter body: id, and path from the root of the hierarchy; whether to go on below.
    package static func walk(_ root: Root, _ body: (_ id: UInt64, _ path: [UInt8]) -> Bool) {
        let folder = open(root.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return }
        var path: [UInt8] = []
        descend(folder, &path, 0, body)
    }

    /// Closes the folder.
    private static func descend(_ folder: Int32, _ path: inout [UInt8], _ depth: Int, _ body: (UInt64, [UInt8]) -> Bool) {
        guard let stream = fdopendir(folder) else {
            close(folder)
            return
        }
        defer { closedir(stream) }
        let length = path.count
        while let entry = readdir(stream) {
            guard entry.pointee.d_type == UInt8(DT_DIR) else { continue }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            guard name != [0x2e], name != [0x2e, 0x2e] else { continue }
            let below = (name + [0]).withUnsafeBytes { bytes in
                bytes.withMemoryRebound(to: CChar.self) { openat(folder, $0.baseAddress!, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
            }
            guard below >= 0 else { continue }
            path.append(0x2f)
            path += name
            if body(hv_cgroup_id(below), path), depth < deepest { descend(below, &path, depth + 1, body) } else { close(below) }
            path.removeSubrange(length...)
        }
    }
}

extension Substring {
    /// What is before and behind the first `separator`.
    fileprivate func components(separator: String) -> (Substring, Substring)? {
        var at = startIndex
        while at < endIndex {
            if self[at...].hasPrefix(separator) { return (self[..<at], self[index(at, offsetBy: separator.count)...]) }
            at = index(after: at)
        }
        return nil
    }
}
