import Attribution
import Events
import Glibc
import KernelABI
import Rings
import Testing

/// Bytes of an exec's record.
private func record(
    _ identity: MachinePrograms.Identity, path: String = "/usr/bin/x", _ arguments: String, cgroup: UInt64 = 77, user: UInt32 = 0, namespace: UInt32 = 1,
    error: Int32 = 0
) -> [UInt8] {
    var exec = hv_exec()
    exec.header.kind = UInt16(HV_KIND_EXEC.rawValue)
    exec.executable.device = identity.device
    exec.executable.inode = identity.inode
    exec.error = error
    exec.actor.cgroup = cgroup
    (exec.actor.uid, exec.actor.euid) = (user, user)
    exec.actor.ns_mount = namespace
    exec.actor.pid = 1234
    exec.actor.start = 99
    let path = Array(path.utf8)
    var words: [UInt8] = []
    for word in arguments.split(separator: " ") { words += Array(word.utf8) + [0] }
    exec.strings.0.length = UInt16(path.count)
    exec.strings.5.length = UInt16(words.count)
    exec.header.size = UInt32(MemoryLayout<hv_exec>.size + path.count + words.count)
    return withUnsafeBytes(of: exec) { Array($0) } + path + words
}

private func words(_ process: ProcessTenant?) -> String {
    guard let tenant = process?.tenant else { return process.map { $0.isJailer ? "jailer" : "none" } ?? "host" }
    return "\(tenant.kind) \(tenant.engine) \(tenant.role) \(tenant.id) \(tenant.name)"
}

struct TenantsTests {
    private let host = FakeHost()
    private let uuid = "c7a5fdbd-edaf-9455-926a-d65c16db1809"

    private func tenants(configured: [String] = []) -> Tenants {
        Tenants(limit: 64, programs: MachinePrograms(configured: configured, root: host.root), root: host.root)
    }

    private func identity(_ path: String) throws -> MachinePrograms.Identity { try #require(MachinePrograms.status(host.root + path)) }

    private func exec(
        _ tenants: Tenants, _ path: String, _ arguments: String, cgroup: UInt64 = 77, user: UInt32 = 0, seen: String? = nil, namespace: UInt32 = 1,
        error: Int32 = 0, before: ProcessTenant? = nil
    ) throws -> ProcessTenant? {
        let bytes = record(try identity(path), path: seen ?? path, arguments, cgroup: cgroup, user: user, namespace: namespace, error: error)
        guard let view = ExecView(bytes.span.bytes) else { throw Missing() }
        return tenants.exec(view, hostMountNamespace: 1, before: before)
    }

    @Test func byInodeAlone() throws {
        host.write("/usr/bin/qemu-system-x86_64", "qemu")
        host.write("/tmp/qemu-system-x86_64", "shell")
        let tenants = tenants()
        #expect(tenants.programs.count == 1)
        #expect(words(try exec(tenants, "/usr/bin/qemu-system-x86_64", "anything -name a -uuid \(uuid)", seen: "/any/name")) == "vm qemu guest \(uuid) a")
        #expect(words(try exec(tenants, "/tmp/qemu-system-x86_64", "qemu-system-x86_64 -name a -uuid \(uuid)")) == "host")
        // The same path in a mount namespace of one's own.
        #expect(words(try exec(tenants, "/tmp/qemu-system-x86_64", "q -name a", seen: "/usr/bin/qemu-system-x86_64", namespace: 2)) == "host")
        #expect(words(try exec(tenants, "/tmp/qemu-system-x86_64", "q -name a", seen: "/usr/bin/qemu-system-x86_64")) == "host")
        #expect(words(try exec(tenants, "/usr/bin/qemu-system-x86_64", "q -name a", error: -2)) == "host")
        #expect(words(try exec(tenants, "/usr/bin/qemu-system-x86_64", "q -m 1")) == "vm qemu guest 1234-99 ")
    }

    @Test func ownersAreInTheID() throws {
        host.write("/usr/bin/qemu-system-x86_64", "qemu")
        let tenants = tenants()
        let path = "/usr/bin/qemu-system-x86_64"
        #expect(words(try exec(tenants, path, "q -uuid \(uuid) -name web", user: 1000)) == "vm qemu guest 1000/\(uuid) web")
        #expect(words(try exec(tenants, path, "q -id 100 -name web", user: 1000)) == "vm qemu guest 1000/100 web")
        #expect(words(try exec(tenants, path, "q -id 100 -name web")) == "vm proxmox guest 100 web")
    }

    @Test func upgradesAreSeen() throws {
        host.write("/usr/bin/qemu-system-x86_64", "old")
        let tenants = tenants()
        host.write("/usr/bin/new", "new")
        #expect(rename(host.root + "/usr/bin/new", host.root + "/usr/bin/qemu-system-x86_64") == 0)
        #expect(words(try exec(tenants, "/usr/bin/qemu-system-x86_64", "q -name a", namespace: 2)) == "host")
        #expect(words(try exec(tenants, "/usr/bin/qemu-system-x86_64", "q -name a")) == "vm qemu guest a a")
        host.write("/usr/bin/cloud-hypervisor", "first install")
        #expect(words(try exec(tenants, "/usr/bin/cloud-hypervisor", "c --api-socket /a.sock")) == "vm cloud-hypervisor guest /a.sock a")
        // What others may write to is nobody's package.
        host.write("/usr/bin/firecracker", "anybody")
        chmod(host.root + "/usr/bin/firecracker", 0o666)
        #expect(words(try exec(tenants, "/usr/bin/firecracker", "f --id a")) == "host")
    }

    @Test func configuredPrograms() throws {
        host.write("/srv/vmm/firecracker-v1", "fc")
        #expect(words(try exec(tenants(), "/srv/vmm/firecracker-v1", "f --id a")) == "host")
        #expect(words(try exec(tenants(configured: ["/srv/vmm/firecracker-v1", "/none"]), "/srv/vmm/firecracker-v1", "f --id a")) == "vm firecracker guest a ")
    }

    @Test func jails() throws {
        host.write("/usr/bin/jailer", "jailer")
        host.write("/srv/jailer/firecracker/vm1/root/firecracker", "copy")
        let tenants = tenants()
        let copy = "/srv/jailer/firecracker/vm1/root/firecracker"
        let jailer = try exec(tenants, "/usr/bin/jailer", "jailer --id vm1 --exec-file /usr/bin/firecracker")
        #expect(words(jailer) == "vm firecracker manager vm1 " && jailer?.isJailer == true)
        #expect(words(try exec(tenants, copy, "firecracker --id vm1", user: 1234, before: jailer)) == "vm firecracker guest vm1 ")
        #expect(words(try exec(tenants, copy, "firecracker --id vm1", user: 1234)) == "host")
        // A user's jailer lets nobody in.
        let own = try exec(tenants, "/usr/bin/jailer", "jailer --id vm1", user: 1000)
        #expect(own == nil)
        #expect(words(try exec(tenants, copy, "firecracker --id vm1", user: 1000, before: own)) == "host")
        // In a group of its own, which names it.
        tenants.table.add(5, "/firecracker/vm1")
        let grouped = try exec(tenants, "/usr/bin/jailer", "jailer --id vm1", cgroup: 5)
        #expect(words(grouped) == "jailer")
        #expect(words(try exec(tenants, copy, "firecracker --id vm1", cgroup: 5, user: 1234, before: grouped)) == "host")
        #expect(tenants.table.words(5) == "firecracker vm1")
    }

    @Test func whatAMachineRunsIsTheMachines() throws {
        host.write("/usr/bin/qemu-system-x86_64", "qemu")
        host.write("/bin/sh", "sh")
        let tenants = tenants()
        let machine = try exec(tenants, "/usr/bin/qemu-system-x86_64", "q -name a")
        #expect(try exec(tenants, "/bin/sh", "sh -c id", before: machine) === machine)
    }

    @Test func groupsGoFirst() throws {
        host.write("/usr/bin/qemu-system-x86_64", "qemu")
        let tenants = tenants()
        tenants.table.add(1, #"/machine.slice/machine-qemu\x2d1\x2dweb.scope"#)
        tenants.table.add(2, "/docker/\(CgroupSample.id)")
        let path = "/usr/bin/qemu-system-x86_64"
        #expect(try exec(tenants, path, "q -name guest=web.full -uuid \(uuid)", cgroup: 1, user: 64055) == nil)
        #expect(tenants.table.words(1) == "libvirt \(uuid)" && tenants.table.tenant(1)?.name == "web.full")
        #expect(try exec(tenants, path, "q -name guest=forged", cgroup: 1) == nil)
        #expect(tenants.table.tenant(1)?.name == "web.full")
        #expect(try exec(tenants, path, "q -name guest=inner -uuid \(uuid)", cgroup: 2) == nil)
        #expect(tenants.table.words(2) == "docker \(CgroupSample.id)")
    }

    @Test func findsOut() throws {
        host.write("/usr/bin/pveversion", "")
        host.write("/etc/pve/lxc/101.conf", "hostname: ct\n")
        let tenants = tenants()
        tenants.table.add(1, "/lxc/101")
        tenants.table.add(2, "/lxc.payload.c1")
        var now: UInt64 = 1
        for _ in 0..<5000 where !tenants.isSettled || tenants.table.tenant(1)?.name != "ct" {
            tenants.poll(now: now)
            // Time passes as fast as one likes.
            now += 1_000_000_000
            usleep(1000)
        }
        #expect(tenants.table.words(1) == "proxmox 101" && tenants.table.tenant(1)?.name == "ct")
        #expect(!tenants.table.find(1, .unified).isPending && !tenants.table.find(2, .unified).isPending)
    }

    @Test func walks() {
        host.folder("/cg/lxc.payload.c1/init.scope")
        host.folder("/cg/system.slice/ssh.service")
        host.write("/cg/system.slice/cgroup.procs", "1\n")
        host.link("/cg/link", to: "/")
        let root = CgroupWalk.Root(hierarchy: .unified, path: host.root + "/cg")
        var found: [String: UInt64] = [:]
        CgroupWalk.walk(root) { id, path in
            found[String(decoding: path, as: UTF8.self)] = id
            return true
        }
        #expect(found.keys.sorted() == ["/lxc.payload.c1", "/lxc.payload.c1/init.scope", "/system.slice", "/system.slice/ssh.service"])
        let tenants = tenants()
        tenants.fill([root])
        #expect(tenants.table.count == 4 && tenants.table.words(found["/lxc.payload.c1/init.scope"] ?? 0) == "lxc c1")
        CgroupWalk.walk(CgroupWalk.Root(hierarchy: .unified, path: "/nowhere")) { _, _ in
            Issue.record("walked nowhere")
            return true
        }
    }

    /// The kernel's id of a group is its folder's handle and its inode number.
    @Test(.enabled(if: !CgroupWalk.roots().isEmpty)) func idsAreTheKernels() throws {
        for root in CgroupWalk.roots() {
            CgroupWalk.walk(root) { id, path in
                var status = stat()
                if stat(root.path + String(decoding: path, as: UTF8.self), &status) == 0 { #expect(UInt64(status.st_ino) == id) }
                return path.count < 64
            }
        }
    }

    @Test func mounts() {
        let mounts = #"""
            25 30 0:23 / /sys/fs/cgroup ro,nosuid shared:4 - tmpfs tmpfs ro,mode=755
            26 25 0:24 / /sys/fs/cgroup/unified rw shared:5 - cgroup2 cgroup2 rw
            27 25 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
            28 25 0:26 /docker/x /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
            29 25 0:27 / /mnt/a\040b rw - cgroup cgroup rw,pids
            30 25 0:28 / /again rw - cgroup2 cgroup2 rw
            31 25
            """#
        #expect(
            CgroupWalk.roots(mountinfo: mounts) == [
                CgroupWalk.Root(hierarchy: .unified, path: "/sys/fs/cgroup/unified"), CgroupWalk.Root(hierarchy: .memory, path: "/sys/fs/cgroup/memory"),
                CgroupWalk.Root(hierarchy: .pids, path: "/mnt/a b"),
            ])
        let numbers = CgroupWalk.numbers(cgroups: "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t2\t1\nmemory\t4\t2\t1\npids\t8\t1\t1\nio\t0\t1\t1\n")
        #expect(numbers == [0: .unified, 4: .memory, 8: .pids])
        #expect(CgroupWalk.numbers(cgroups: "memory\t4\t2\t1\npids\t4\t1\t1\n") == [0: .unified, 4: .memory])
    }
}
