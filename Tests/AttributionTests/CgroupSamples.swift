/// A group's path, and what it has to be taken for: `KIND ENGINE ROLE ID`, or `host`.
struct CgroupSample: Sendable {
    let path: String
    let expected: String

    init(_ path: String, _ expected: String) {
        self.path = path
        self.expected = expected
    }

    static let id = "f75aff467357c5d0ddd47cb7ad87ed38746e018992586ff66198a5c11218f634"
    static let other = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

    /// As they were seen on hosts: engine by engine, both drivers of control groups, both versions.
    static let seen: [CgroupSample] = [
        .init(#"/machine.slice/machine-qemu\x2d1\x2dweb01.scope/libvirt/vcpu0"#, "vm libvirt guest web01"),
        .init(#"/machine.slice/machine-qemu\x2d2\x2dinstance\x2d00000001.scope"#, "vm libvirt guest instance-00000001"),
        .init(#"/machine.slice/machine-lxc\x2d969\x2dhub.scope/init.scope"#, "container libvirt-lxc guest hub"),
        .init("/machine/qemu-1-instance1.libvirt-qemu/emulator", "vm libvirt guest instance1"),
        .init("/qemu.slice/100.scope", "vm proxmox guest 100"),
        .init("/lxc/101/ns/init.scope", "container proxmox guest 101"),
        .init("/lxc.payload.c1/init.scope", "container lxc guest c1"),
        .init("/lxc.monitor.c1", "container lxc manager c1"),
        .init(
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poddde1244b_5bb5_4297_b544_85f3bc0d80bf.slice/cri-containerd-\(id).scope",
            "container kubernetes guest \(id)"),
        .init(
            "/kubepods.slice/kubepods-pod019c1fe8_0d92_4aa0_b61c_4df58bdde71c.slice/cri-containerd-\(id).scope", "container kubernetes guest \(id)"),
        .init(
            "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod7881ed9e_c63e_4425_b5e0_ac55a08ae939.slice/cri-containerd-\(id).scope",
            "container kubernetes guest \(id)"),
        .init("/kubepods/burstable/podb53dfa9e2dc9b890f7fadb2770857b03/\(id)", "container kubernetes guest \(id)"),
        .init("/kubepods/besteffort/pod91a8fc3a-0ecf-48b4-81bf-78a7275d348c/\(id)", "container kubernetes guest \(id)"),
        .init(
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12345678_1234_1234_1234_123456789012.slice/crio-\(id).scope",
            "container kubernetes guest \(id)"),
        .init("/system.slice/docker-\(id).scope", "container docker guest \(id)"),
        .init("/docker/\(id)", "container docker guest \(id)"),
        .init("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-\(id).scope/container", "container podman guest 1000/\(id)"),
        .init("/machine.slice/libpod-\(id).scope", "container podman guest \(id)"),
        .init("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-conmon-\(id).scope", "container podman manager 1000/\(id)"),
        .init("/firecracker/551e7604-e35c-42b3-b825-416853441234", "vm firecracker guest 551e7604-e35c-42b3-b825-416853441234"),
        .init("/machine.slice/systemd-nspawn@deb.service/payload", "container nspawn guest deb"),
        .init("/system.slice/ssh.service", "host"),
        .init("/init.scope", "host"),

        .init("/", "host"),
        .init("/system.slice", "host"),
        .init("/machine.slice", "host"),
        .init("/user.slice/user-1000.slice/session-3.scope", "host"),
        // libvirt
        .init(#"/machine.slice/machine-qemu\x2d12\x2da\x2db.c.scope/libvirt/emulator"#, "vm libvirt guest a-b.c"),
        .init(#"/machine.slice/machine-gold.slice/machine-qemu\x2d3\x2dx.scope"#, "vm libvirt guest x"),
        .init(#"/machine.slice/machine-ch\x2d3\x2dfast.scope"#, "vm libvirt guest fast"),
        .init("/machine/gold.partition/lxc-7-box.libvirt-lxc", "container libvirt-lxc guest box"),
        .init("/libvirt/qemu/old", "vm libvirt guest old"),
        // Proxmox, LXC
        .init("/qemu.slice", "host"),
        .init("/qemu.slice/web.scope", "host"),
        .init("/lxc.monitor/101", "container proxmox manager 101"),
        .init("/lxc/web/init.scope", "container lxc guest web"),
        .init("/lxc/101/init.scope", "container lxc guest 101"),
        .init("/lxc/7/ns", "container lxc guest 7"),
        .init("/lxc.payload/c2", "container lxc guest c2"),
        .init("/lxc.monitor/c2", "container lxc manager c2"),
        .init("/lxc", "host"),
        // Docker
        .init("/custom.slice/docker-\(id).scope/init", "container docker guest \(id)"),
        .init("/docker/buildkit/n4eu0udvbz9vfzjy71jkvgkwh", "container buildkit guest n4eu0udvbz9vfzjy71jkvgkwh"),
        .init("/docker", "host"),
        .init("/docker/\(id)x", "host"),
        .init("/system.slice/docker-\(id.uppercased()).scope", "host"),
        .init("/system.slice/docker-.scope", "host"),
        .init("/system.slice/docker.service", "host"),
        .init("/system.slice/docker.service/docker/\(id)", "container docker guest \(id)"),
        .init("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-\(id).scope", "container docker guest 1000/\(id)"),
        // Podman
        .init("/machine.slice/machine-libpod_pod_\(other).slice/libpod-\(id).scope/container", "container podman guest \(id)"),
        .init("/libpod_parent/libpod-\(id)", "container podman guest \(id)"),
        .init("/libpod_parent/\(other)/libpod-\(id)", "container podman guest \(id)"),
        .init("/libpod_parent/conmon", "host"),
        .init("/system.slice/web.service/libpod-payload-\(id)", "container podman guest web.service/\(id)"),
        .init(
            "/user.slice/user-1001.slice/user@1001.service/app.slice/redis.service/libpod-payload-\(id)", "container podman guest 1001/\(id)"),
        .init("/system.slice/crun-demo.scope/container", "container crun guest demo"),
        .init(#"/system.slice/runc-a\x2db.scope"#, "container runc guest a-b"),
        .init("/system.slice/crun-buildah-buildah123.scope", "container buildah guest buildah-buildah123"),
        // containerd, Kubernetes
        .init("/system.slice/nerdctl-\(id).scope", "container containerd guest \(id)"),
        .init("/kubepods.slice/kubepods-pod1.slice/docker-\(id).scope", "container kubernetes guest \(id)"),
        .init("/kubepods/pod1/\(id)/init.scope", "container kubernetes guest \(id)"),
        .init("/kubepods/burstable/pod1/crio-\(id)", "container kubernetes guest \(id)"),
        .init("/kubepods/burstable/pod1/crio-conmon-\(id)", "container kubernetes manager \(id)"),
        .init("/kubepods/burstable/pod1/kata_\(id)", "container kubernetes guest \(id)"),
        .init("/kubelet/kubepods/burstable/pod1/\(id)", "container kubernetes guest \(id)"),
        .init("/kubepods.slice/kubepods-pod1.slice", "host"),
        .init("/kubepods/burstable/pod1", "host"),
        .init("/kubepods.slice/kubepods-pod1.slice/crio-conmon-\(id).scope", "container kubernetes manager \(id)"),
        .init("/system.slice/containerd.service/kubepods-burstable-pod1.slice:cri-containerd:\(id)", "container kubernetes guest \(id)"),
        .init("/kubepods-burstable-pod1.slice:cri-containerd:\(id)", "container kubernetes guest \(id)"),
        .init("/k8s.io/\(id)", "container kubernetes guest \(id)"),
        .init("/kata_overhead/\(id)", "vm kata guest \(id)"),
        .init("/kata_overhead/kubepods/besteffort/pod1/kata_\(id)", "vm kata guest \(id)"),
        // nspawn
        .init(#"/machine.slice/systemd-nspawn@a\x2db.service/supervisor"#, "container nspawn manager a-b"),
        .init("/machine.slice/systemd-nspawn@deb.service", "container nspawn guest deb"),
        .init("/machine.slice/machine-deb.scope/payload", "container nspawn guest deb"),
        .init("/machine.slice/systemd-vmspawn@fed.service", "vm vmspawn guest fed"),
        // The outermost is the tenant.
        .init("/lxc.payload.c1/system.slice/docker-\(id).scope", "container lxc guest c1"),
        .init("/machine.slice/libpod-\(id).scope/container/kubelet.slice/kubelet-kubepods.slice/x.slice/cri-containerd-\(other).scope", "container podman guest \(id)"),
        .init("/docker/\(id)/kubepods/burstable/pod1/\(other)", "container docker guest \(id)"),
        .init(#"/kubepods/burstable/pod1/\#(id)/machine.slice/machine-qemu\x2d1\x2dweb01.scope"#, "container kubernetes guest \(id)"),
    ]

    /// Names that whoever may make a group there can give it.
    static let forged: [CgroupSample] = [
        .init(#"/user.slice/user-1000.slice/user@1000.service/machine.slice/machine-qemu\x2d1\x2dweb01.scope"#, "host"),
        .init(#"/user.slice/user-1000.slice/user@1000.service/machine-qemu\x2d1\x2dweb01.scope"#, "host"),
        .init("/user.slice/user-1000.slice/user@1000.service/qemu.slice/100.scope", "host"),
        .init("/user.slice/user-1000.slice/user@1000.service/app.slice/kubepods.slice/kubepods-pod1.slice/cri-containerd-\(id).scope", "host"),
        .init("/user.slice/user-1000.slice/user@1000.service/kubepods/burstable/pod1/\(id)", "host"),
        .init("/user.slice/user-1000.slice/user@1000.service/docker/\(id)", "host"),
        .init("/user.slice/user-1000.slice/user@1000.service/firecracker/vm1", "host"),
        .init("/user.slice/user-1000.slice/user@1000.service/lxc/101/ns", "host"),
        .init("/user.slice/user-1000.slice/user@1000.service/app.slice/docker-\(id).scope", "container docker guest 1000/\(id)"),
        .init("/user.slice/user-1000.slice/user@1000.service/machine.slice/libpod-\(id).scope", "container podman guest 1000/\(id)"),
        .init("/user.slice/user-1000.slice/session-2.scope/lxc.payload.c1", "container lxc guest 1000/c1"),
        .init("/user.slice/user-1000.slice/user@1000.service/user.slice/user-0.slice/libpod-\(id).scope", "container podman guest 1000/\(id)"),
        .init("/user.slice/user-1000.slice/user@1000.service/systemd-nspawn@deb.service/payload", "host"),
        .init("/user.slice/docker-\(id).scope", "host"),
        .init("/user.slice/user-01000.slice/libpod-\(id).scope", "host"),
        .init("/user.slice/user-4294967296.slice/libpod-\(id).scope", "host"),
        .init("/user.slice/user-x.slice/libpod-\(id).scope", "host"),
        // A service that may have been handed to somebody.
        .init("/system.slice/web.service/docker/\(id)", "host"),
        .init("/system.slice/web.service/kubepods/burstable/pod1/\(id)", "host"),
        .init(#"/system.slice/web.service/machine-qemu\x2d1\x2dweb01.scope"#, "host"),
        .init("/system.slice/web.service/docker-\(id).scope", "container docker guest web.service/\(id)"),
        .init("/system.slice/web.service/containerd.service/docker/\(id)", "host"),
        .init("/system.slice/run-u1.scope/lxc.payload.c1", "container lxc guest run-u1.scope/c1"),
        // Not where such a group lies.
        .init("/docker.slice/\(id)", "candidate \(id)"),
        .init("/machine.slice/100.scope", "host"),
        .init("/a.slice/qemu.slice/100.scope", "host"),
        .init("/foo/docker/\(id)", "candidate foo docker"),
        .init("/foo/kubepods/burstable/pod1/\(id)", "candidate foo kubepods"),
    ]
}
