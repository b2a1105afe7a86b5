internal import Attribution
package import Configuration
internal import Events
internal import Foundation
internal import Glibc

/// `hypervigil tenants`: the virtual machines and containers that there are now, from the cgroups, from what engines keep on disk, and from /proc.
/// Nothing is loaded into the kernel and no daemon is asked.
package struct TenantList {
    struct Row: Encodable {
        var kind: String
        var engine: String
        var role: String
        var id: String
        var name: String?
        var image: String?
        var runtime: String?
        /// Name and image are what its owner says, who is not root.
        var claimed: Bool?
        /// The shortest path of its groups, how many there are, and in which hierarchy.
        var cgroup: String?
        var cgroups: Int?
        var hierarchy: String?
        /// The virtual machine monitor's.
        var pid: UInt32?
        /// `cgroup`; `proc` where only a running process says that there is such a tenant.
        var knownFrom: String
        /// Fields that are told by a process's command line as it is now, which it may have rewritten.
        var fromProc: [String]?
    }

    package struct Failure: Error {
        /// As sysexits(3) has it.
        package let exitCode: Int32
        package let line: String
    }

    private var rows: [Row] = []
    /// What could not be seen, and why; one line each.
    package private(set) var notes: [String] = []

    /// How long files may take.
    private static let patience = 2.0

    /// - Throws: where no cgroups are to be seen (69).
    package init(_ settings: Settings) throws(Failure) {
        let roots = CgroupWalk.roots()
        guard !roots.isEmpty else {
            throw Failure(exitCode: EX_UNAVAILABLE, line: "/proc/self/mountinfo: no whole cgroup hierarchy is mounted; mount cgroup2 on /sys/fs/cgroup")
        }
        let programs = MachinePrograms(configured: settings.attributionVmms)
        let tenants = Tenants(limit: 65_536, programs: programs)
        tenants.fill(roots)
        if tenants.table.refusals > 0 { notes.append("\(tenants.table.refusals) cgroups beyond 65536 were left out") }
        let deadline = Clock.boot + UInt64(Self.patience * 1e9)
        repeat {
            tenants.poll(now: Clock.boot)
            usleep(1000)
        } while tenants.hasUntried && Clock.boot < deadline
        if tenants.hasUntried { notes.append("files of engines took longer than \(Int(Self.patience)) s: names and images may be missing") }

        var places: [ObjectIdentifier: Int] = [:]
        for (tenant, path, hierarchy, groups) in tenants.table.list() {
            places[ObjectIdentifier(tenant)] = rows.count
            rows.append(
                Row(
                    tenant, cgroup: String(validating: path, as: UTF8.self) ?? CgroupPath.text(path), cgroups: groups, hierarchy: hierarchy == .unified ? "v2" : "v1 \(hierarchy)",
                    knownFrom: "cgroup"))
        }
        let (machines, unreadable) = MachineProcess.all(programs)
        if unreadable > 0 {
            let why = geteuid() == 0 ? "they are kept from root, too" : "run as root"
            notes.append("the executables of \(unreadable) process\(unreadable == 1 ? "" : "es") can't be seen, nor whether they are virtual machines: \(why)")
        }
        for machine in machines {
            let own = machine.tenant()
            let group = CgroupHierarchy.allCases.lazy.compactMap { hierarchy in
                machine.groups[hierarchy].flatMap { path in path.withUnsafeBytes { tenants.table.tenant(at: $0) } }
            }.first
            guard let group, let place = places[ObjectIdentifier(group)] else {
                if group == nil { rows.append(Row(own, pid: machine.pid, knownFrom: "proc")) }
                continue
            }
            guard group.kind == .vm, rows[place].pid == nil else { continue }
            rows[place].pid = machine.pid
            var told: [String] = []
            if group.engine == "libvirt", !VirtualMachine.isUUID(group.id), VirtualMachine.isUUID(machine.machine.id) {
                rows[place].id = machine.machine.id
                told.append("id")
            }
            if group.name.isEmpty, !own.name.isEmpty {
                rows[place].name = own.name
                told.append("name")
            }
            if !told.isEmpty { rows[place].fromProc = told }
        }
        rows.sort { ($0.kind == "vm" ? 0 : 1, $0.engine, $0.name ?? $0.id, $0.role) < ($1.kind == "vm" ? 0 : 1, $1.engine, $1.name ?? $1.id, $1.role) }
    }

    /// One object a line.
    package var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return rows.compactMap { try? encoder.encode($0) }.map { String(decoding: $0, as: UTF8.self) + "\n" }.joined()
    }

    package var text: String {
        guard !rows.isEmpty else { return "no virtual machines or containers\n" }
        let lines = [["KIND", "ENGINE", "ROLE", "NAME", "ID", "IMAGE", "KNOWN FROM"]] + rows.map(\.columns)
        let widths = lines[0].indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            let padded = zip(line, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
            return String(padded.reversed().drop { $0 == " " }.reversed()) + "\n"
        }.joined()
    }
}

extension TenantList.Row {
    init(_ tenant: Tenant, cgroup: String? = nil, cgroups: Int? = nil, hierarchy: String? = nil, pid: UInt32? = nil, knownFrom: String) {
        func some(_ text: String) -> String? { text.isEmpty ? nil : text }
        self.init(
            kind: tenant.kind.rawValue, engine: tenant.engine, role: tenant.role.rawValue, id: tenant.id, name: some(tenant.name),
            image: some(tenant.image), runtime: some(tenant.runtime), claimed: tenant.isClaimed ? true : nil, cgroup: cgroup, cgroups: cgroups,
            hierarchy: hierarchy, pid: pid, knownFrom: knownFrom)
    }

    fileprivate var columns: [String] {
        var source = knownFrom
        if let pid { source += " pid \(pid)" }
        if let fromProc { source += ", \(fromProc.joined(separator: " and ")) from proc" }
        if claimed == true { source += ", owner's claim" }
        return [kind, engine, role, visible(name ?? "-"), visible(shortID), visible(image ?? "-"), source]
    }

    /// As engines' own tools show the ids of containers.
    private var shortID: String {
        let parts = id.split(separator: "/", omittingEmptySubsequences: false)
        guard let last = parts.last, last.utf8.count == 64, last.allSatisfy(\.isHexDigit) else { return id }
        return (parts.dropLast() + [last.prefix(12)]).joined(separator: "/")
    }

    /// What changes the direction of text, or shows nothing, as an escape. Controls are none left.
    private func visible(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse, .surrogate:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
    }
}
