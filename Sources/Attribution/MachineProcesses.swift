package import Events
internal import Glibc

/// Virtual machine monitors that run now, from /proc. Their executables are known by inode; their arguments are what the processes show today, which may be
/// other ones than at their exec.
package struct MachineProcess: Sendable {
    package let pid: UInt32
    package let program: VirtualMachine.Program
    package let machine: VirtualMachine
    /// Real user; effective where that is root.
    package let user: UInt32
    /// Paths of its cgroups, by hierarchy.
    package let groups: [CgroupHierarchy: [UInt8]]

    package static func all(_ programs: MachinePrograms) -> (found: [MachineProcess], unreadable: Int) {
        let proc = HostFiles()
        var found: [MachineProcess] = []
        var unreadable = 0
        for name in proc.names(in: "/proc", limit: 1 << 22) {
            guard let pid = UInt32(name) else { continue }
            var status = stat()
            guard stat("/proc/\(pid)/exe", &status) == 0 else {
                if errno == EACCES || errno == EPERM { unreadable += 1 }
                continue
            }
            guard programs.mayHave(inode: UInt64(status.st_ino)), let identity = MachinePrograms.status("/proc/\(pid)/exe"),
                let program = programs.find(identity, path: UnsafeRawBufferPointer(start: nil, count: 0), isInHostMountNamespace: false), program != .jailer,
                let arguments = proc.read("/proc/\(pid)/cmdline"), let facts = proc.read("/proc/\(pid)/status"),
                let groups = proc.read("/proc/\(pid)/cgroup")
            else { continue }
            found.append(
                MachineProcess(
                    pid: pid, program: program, machine: arguments.withUnsafeBytes { VirtualMachine(program, $0) }, user: user(facts),
                    groups: Self.groups(groups)))
        }
        return (found.sorted { $0.pid < $1.pid }, unreadable)
    }

    package func tenant() -> Tenant { machine.tenant(program, user: user, pid: pid, start: 0) }

    /// `Uid:` of proc_pid_status(5): real, effective, saved, file system.
    private static func user(_ status: [UInt8]) -> UInt32 {
        for line in status.split(separator: 0x0a) where line.starts(with: Array("Uid:".utf8)) {
            let users = String(decoding: line.dropFirst(4), as: UTF8.self).split(whereSeparator: { $0 == "\t" || $0 == " " }).compactMap { UInt32($0) }
            guard users.count >= 2 else { break }
            return users[0] != 0 ? users[0] : users[1]
        }
        // Not root, whatever it is.
        return .max
    }

    /// `NUMBER:CONTROLLERS:PATH` (cgroups(7)).
    static func groups(_ text: [UInt8]) -> [CgroupHierarchy: [UInt8]] {
        var groups: [CgroupHierarchy: [UInt8]] = [:]
        for line in text.split(separator: 0x0a) {
            let fields = line.split(separator: 0x3a, maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let controllers = String(decoding: fields[1], as: UTF8.self).split(separator: ",")
            if controllers.isEmpty { groups[.unified] = Array(fields[2]) }
            if controllers.contains("memory") { groups[.memory] = Array(fields[2]) }
            if controllers.contains("pids") { groups[.pids] = Array(fields[2]) }
        }
        return groups
    }
}
