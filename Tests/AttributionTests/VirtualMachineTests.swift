import Attribution
import Testing

private struct Line: Sendable {
    let program: VirtualMachine.Program
    let arguments: String
    /// `ENGINE|ID|NAME`
    let expected: String

    init(_ program: VirtualMachine.Program, _ arguments: String, _ expected: String) {
        self.program = program
        self.arguments = arguments
        self.expected = expected
    }
}

private let uuid = "c7a5fdbd-edaf-9455-926a-d65c16db1809"
private let id = CgroupSample.id

private let lines: [Line] = [
    // libvirt, current and old.
    .init(
        .qemu,
        #"/usr/bin/qemu-system-x86_64 -name guest=web01,debug-threads=on -S -object {"qom-type":"secret","id":"masterKey0","format":"raw","file":"/var/lib/libvirt/qemu/domain-1-web01/master-key.aes"} -machine pc-q35-7.2,usb=off -uuid \#(uuid) -no-user-config -nodefaults"#,
        "libvirt|\(uuid)|web01"),
    .init(
        .qemu,
        "/usr/libexec/qemu-kvm -name guest=db,,1 -object secret,id=masterKey0,format=raw,file=/var/lib/libvirt/qemu/domain-2-db/master-key.aes -uuid \(uuid.uppercased())",
        "libvirt|\(uuid)|db,1"),
    // Proxmox.
    .init(
        .qemu,
        "/usr/bin/kvm -id 100 -name web,debug-threads=on -no-shutdown -chardev socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off -pidfile /var/run/qemu-server/100.pid -daemonize -smbios type=1,uuid=\(uuid) -smp 2",
        "proxmox|100|web"),
    // Incus, LXD.
    .init(
        .qemu,
        "/opt/incus/bin/qemu-system-x86_64 -S -name v1 -uuid \(uuid) -daemonize -cpu host -nographic -serial chardev:console -nodefaults -no-user-config -readconfig /run/incus/v1/qemu.conf -pidfile /run/incus/v1/qemu.pid -D /var/log/incus/v1/qemu.log",
        "incus|\(uuid)|v1"),
    .init(.qemu, "qemu-system-x86_64 -name v2 -uuid \(uuid) -pidfile /var/snap/lxd/common/lxd/logs/v2/qemu.pid", "lxd|\(uuid)|v2"),
    // Plain.
    .init(.qemu, "qemu-system-x86_64 -m 512 -nographic", "qemu||"),
    .init(.qemu, "qemu-system-x86_64 -name process=x,guest=y", "qemu|y|y"),
    .init(.qemu, "qemu-system-x86_64 -name process=x", "qemu||"),
    .init(.qemu, "qemu-system-x86_64 --name one -name two", "qemu|two|two"),
    .init(.qemu, "qemu-system-x86_64 -uuid nonsense -name x", "qemu|x|x"),
    // Another option's value is no option.
    .init(.qemu, "qemu-system-x86_64 -append -name -kernel x -name real", "qemu|real|real"),
    .init(.qemu, "qemu-system-x86_64 -snapshot -name real", "qemu|real|real"),
    .init(.qemu, "qemu-system-x86_64 -fw_cfg -uuid -name real -uuid", "qemu|real|real"),
    .init(.qemu, "qemu-system-x86_64 -id 1x0 -name real", "qemu|real|real"),
    .init(.qemu, "-name", "qemu||"),
    // Kata.
    .init(.qemu, "/opt/kata/bin/qemu-system-x86_64 -name sandbox-\(id),debug-threads=on -uuid \(uuid)", "kata|\(id)|sandbox-\(id)"),
    .init(.cloudHypervisor, "/opt/kata/bin/cloud-hypervisor --api-socket /run/vc/vm/\(id)/clh-api.sock", "kata|\(id)|\(id)"),
    // Firecracker, from a jail and without.
    .init(.firecracker, "firecracker --id 551e7604-e35c --start-time-us 1 --start-time-cpu-us 2", "firecracker|551e7604-e35c|"),
    .init(.firecracker, "firecracker --id=vm-1 --api-sock /tmp/a.sock", "firecracker|vm-1|"),
    .init(.firecracker, "firecracker --api-sock /tmp/a.sock -- --id x", "firecracker|/tmp/a.sock|"),
    .init(.firecracker, "firecracker --no-api --id anonymous-instance --config-file x", "firecracker||"),
    .init(.jailer, "jailer --id vm-1 --exec-file /usr/bin/firecracker --uid 1 --gid 1 -- --id other", "firecracker|vm-1|"),
    // Cloud Hypervisor.
    .init(.cloudHypervisor, "cloud-hypervisor --api-socket path=/run/ch/web.sock --kernel x", "cloud-hypervisor|/run/ch/web.sock|web"),
    .init(.cloudHypervisor, "cloud-hypervisor --api-socket=/run/vms/web/api.sock --platform serial_number=1,uuid=\(uuid)", "cloud-hypervisor|\(uuid)|web"),
    .init(.cloudHypervisor, "cloud-hypervisor --api-socket fd=3", "cloud-hypervisor||"),
    .init(.cloudHypervisor, "cloud-hypervisor", "cloud-hypervisor||"),
]

private func bytes(_ line: String) -> [UInt8] {
    var bytes: [UInt8] = []
    for word in line.split(separator: " ") { bytes += Array(word.utf8) + [0] }
    return bytes
}

private func words(_ program: VirtualMachine.Program, _ bytes: [UInt8]) -> String {
    let machine = bytes.withUnsafeBytes { VirtualMachine(program, $0) }
    return "\(machine.engine)|\(machine.id)|\(machine.name)"
}

struct VirtualMachineTests {
    @Test(arguments: lines) fileprivate func arguments(_ line: Line) {
        #expect(words(line.program, bytes(line.arguments)) == line.expected)
    }

    /// What was cut counts for nothing.
    @Test func cut() {
        #expect(words(.qemu, Array("qemu\0-name\0web".utf8)) == "qemu||")
        #expect(words(.qemu, []) == "qemu||")
        #expect(words(.qemu, [0]) == "qemu||")
        #expect(words(.qemu, Array("qemu\0-name\0".utf8) + [0x61, 0xff, 0x0a, 0]) == "qemu|\u{fffd}|\u{fffd}")
        #expect(words(.qemu, Array("qemu\0-name\0a\nb\0".utf8)) == #"qemu|a\x0ab|a\x0ab"#)
    }

    @Test func uuids() {
        #expect(VirtualMachine.isUUID(uuid) && VirtualMachine.isUUID(uuid.uppercased()))
        for wrong in ["", String(uuid.dropLast()), uuid + "0", uuid.replacing("-", with: "0"), uuid.replacing("c", with: "g"), uuid.replacing("7", with: "\u{17}")] {
            #expect(!VirtualMachine.isUUID(wrong))
        }
    }

    @Test func fuzz() {
        var random = SystemRandomNumberGenerator()
        for round in 0..<3_000 {
            guard let line = lines.randomElement(using: &random) else { return }
            var text = bytes(line.arguments)
            if round % 5 == 0 { text = (0..<Int.random(in: 0..<300, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) } }
            for _ in 0..<3 where !text.isEmpty {
                let at = Int.random(in: 0..<text.count, using: &random)
                switch round % 3 {
                case 0: text[at] = UInt8.random(in: 0...255, using: &random)
                case 1: text.insert([0, 0x2c, 0x3d, 0x2d].randomElement(using: &random) ?? 0, at: at)
                default: text.remove(at: at)
                }
            }
            let machine = text.withUnsafeBytes { VirtualMachine(line.program, $0) }
            for value in [machine.id, machine.name] {
                #expect(!value.unicodeScalars.contains { $0.value < 0x20 } && value.utf8.count <= 4 * 512)
            }
        }
    }
}
