import Glibc
import Testing

@testable import Configuration

struct WatchEntryTests {
    @Test func pathsAndMappingsMayStandTogether() {
        let loader = loaded("files:\n  watch:\n    - /etc\n    - path: /disks//*\n      actions: [delete, create]\n    - {path: '/a b', actions: [mmap-write]}\n")
        #expect(loader.errors.isEmpty)
        #expect(
            loader.settings.filesWatch == [
                "/etc", WatchEntry(path: "/disks/*", actions: [.create, .delete]), WatchEntry(path: "/a b", actions: [.mmapWrite]),
            ])
        #expect(loaded(loader.settings.yaml).settings == loader.settings)
    }

    @Test(arguments: [
        ("[{actions: [write]}]", "files.watch: the entry has no path"), ("[{path: /a, actions: []}]", "files.watch: the list is empty"),
        ("[{path: /a, actions: [wirte]}]", "files.watch: \"wirte\" is not one of"), ("[{path: /a, only: [write]}]", "files.watch: unknown key \"only\""),
        ("[{path: a}]", "files.watch: \"a\" is not an absolute path"), ("[/a, {path: /a}]", "files.watch: \"/a\" is there twice"),
        ("['/{a,..}/x']", "files.watch: \"/{a,..}/x\" has . or .. in it"),
        ("['/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}']", "files.watch: \"/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}\" stands for more than 256"),
    ])
    func wrongEntries(text: String, message: String) {
        let errors = loaded("files: {watch: \(text)}").errors
        #expect(errors.count == 1)
        #expect(errors.first?.message.hasPrefix(message) == true, "\(errors)")
    }

    @Test func ignoreTakesNoActions() {
        #expect(loaded("files: {ignore: [{path: /a}]}").errors.count == 1)
    }

    @Test(arguments: [
        ("/etc/{passwd,sudoers.d/**}", ["/etc/passwd", "/etc/sudoers.d/**"]), ("/{a,b{c,d}}x", ["/ax", "/bcx", "/bdx"]), ("/{a}", ["/{a}"]),
        ("/{a,b", ["/{a,b"]), ("/a,b}", ["/a,b}"]), ("/\\{a,b}", ["/{a,b}"]), ("/{\\,,b}", ["/,", "/b"]), ("/x{,y}", ["/x", "/xy"]),
        ("/{a,b}/\\**", ["/a/\\**", "/b/\\**"]), ("/a\\b", ["/a\\b"]),
    ])
    func braces(text: String, expected: [String]) { #expect(WatchEntry(path: text).alternatives == expected) }

    @Test(.timeLimit(.minutes(1)))
    func hostileBraces() {
        #expect(Braces.alternatives(of: "/" + String(repeating: "{", count: 4000)) != nil)
        #expect(Braces.alternatives(of: "/" + String(repeating: "{a,", count: 1300)) != nil)
        #expect(Braces.alternatives(of: "/" + String(repeating: "{a,b}", count: 800)) == nil)
    }
}

struct ProfileTests {
    @Test func everyPathOfAProfileIsAGoodEntry() {
        for profile in Profile.all {
            for path in profile.watch + profile.variable + profile.ignore {
                #expect(loaded("files: {watch: ['\(path)']}").errors.isEmpty, "\(profile.name): \(path)")
            }
            #expect(profile.mechanism.allSatisfy { $0.hasPrefix("/") && !$0.contains("*") })
        }
        #expect(Set(Profile.all.map(\.name)).count == Profile.all.count)
    }

    @Test func aProfileIsOnWhereItsMechanismIs() throws {
        for state in Profile.states(Settings()) {
            let found = state.profile.mechanism.contains { access($0, F_OK) == 0 }
            #expect(state.isOn == (found || state.profile.mechanism.isEmpty), "\(state.profile.name)")
        }
        let listing = Settings().yaml(profiles: Profile.states(Settings()))
        #expect(listing.contains("  # os-boot: on, for every system\n  #     /boot/**"))
        #expect(loaded(listing).settings == Settings())
    }

    @Test(arguments: [("none", 0), ("[xen]", 1), ("[xen, oci]", 2), ("auto", nil)] as [(String, Int?)])
    func whatIsNamed(text: String, count: Int?) {
        let loader = loaded("files: {profiles: \(text)}")
        #expect(loader.errors.isEmpty)
        let on = Profile.states(loader.settings).filter(\.isOn).count
        if let count { #expect(on == count) } else { #expect(on >= 9) }
        #expect(loaded(loader.settings.yaml).settings == loader.settings)
    }

    @Test(arguments: ["[xem]", "all", "[xen, xen]", "{xen: 1}", "~"])
    func notProfiles(text: String) { #expect(loaded("files: {profiles: \(text)}").errors.count == 1) }

    /// What was watched before there were profiles.
    @Test func theDefaultsCoverWhatWasAlwaysWatched() {
        let list = Settings().watchList.filter { $0.watched && $0.actions == nil }.map(\.path)
        for path in ["/boot", "/etc", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/local", "/lib/modules", "/root/.ssh", "/opt", "/var/spool/cron"] {
            #expect(list.contains(path + "/**"), "\(path)")
        }
    }

    @Test func theOrderAndTheActions() {
        let list = loaded("files: {profiles: [openstack], watch: [{path: '/a{b,c}', actions: [write]}], ignore: [/d]}").settings.watchList
        #expect(list.map(\.path) == ["/var/lib/nova/instances/**", "/etc/nova/**", "/usr/bin/nova-compute", "/etc/sudoers.d/nova-common", "/ab", "/ac", "/d"])
        #expect(list.map(\.watched) == [true, true, true, true, true, true, false])
        #expect(list[0].actions?.contains(.write) == false && list[0].actions?.contains(.delete) == true)
        #expect(list[1].actions == nil && list[4].actions == [.write])
    }
}
