import FilterLanguage
import Testing

@testable import Configuration

struct KeysTests {
    @Test func everyPropertyOfTheTableIsAKeyWithANameOfItsOwn() {
        #expect(Keys.all.count == Mirror(reflecting: Keys.table).children.count)
        #expect(Keys.all.count >= 18)
        #expect(Set(Keys.all.map(\.name)).count == Keys.all.count)
    }

    /// `files.report_every` is `filesReportEvery`: who knows one name knows the other.
    @Test func propertiesAreNamedAsTheirKeys() {
        for child in Mirror(reflecting: Keys.table).children {
            let words = (child.value as? any AnyKey)?.name.split { $0 == "." || $0 == "_" } ?? []
            let camel = words.enumerated().map { $0 == 0 ? String($1) : $1.prefix(1).uppercased() + $1.dropFirst() }.joined()
            #expect(child.label == camel)
        }
    }

    @Test func everyKeyIsDocumentedInASentence() {
        for key in Keys.all {
            #expect(key.documentation.hasSuffix("."), "\(key.name)")
            #expect(!key.documentation.contains("\n"), "\(key.name)")
            #expect(key.name.split(separator: ".").count == 2, "\(key.name)")
        }
    }

    @Test func everyDefaultPassesItsOwnCheck() throws {
        for key in Keys.all {
            let loader = loaded("\(key.section): {\(key.leaf): \(key.defaultText.inline)}")
            #expect(loader.errors.isEmpty, "\(key.name)")
            #expect(loader.settings == Settings(), "\(key.name)")
        }
    }

    @Test func defaults() {
        let settings = Settings()
        #expect(settings.captureOnly == [.exec, .file, .module])
        #expect(settings.captureBackend == .auto)
        #expect(settings.processesActions == [.exec, .exit, .namespaceChange])
        #expect(settings.processesFailed == .known)
        #expect(settings.filesWatch == [])
        #expect(settings.filesProfiles == .automatic)
        #expect(settings.filesIgnore == [])
        #expect(settings.filesReportEvery == .seconds(30))
        #expect(settings.filesDetail == .summary)
        #expect(settings.ringsBulkSize == 0)
        #expect(settings.ringsPrioritySize == 524_288)
        #expect(settings.consumerIdleInterval == .milliseconds(50))
        #expect(settings.limitsWatches == 16_384)
        #expect(settings.limitsTenantRate == 0)
        #expect(settings.limitsTenantBurst == .seconds(2))
        #expect(settings.limitsTenants == 4_096)
        #expect(settings.origin(of: \.limitsWatches) == .default)
    }

    @Test(arguments: [
        ("wach", "files", "files.watch"),
        ("watches", "limits", "limits.watches"),
        ("tenants_rate", "limits", "limits.tenant_rate"),
        ("details", "files", "files.detail"),
        ("reportevery", "files", "files.report_every"),
        ("interval", "rings", "consumer.interval"),
        ("actoins", "processes", "processes.actions"),
        ("file", "", "files"),
        ("Capture", "", "capture"),
        ("files.watch", "", "files.watch"),
        ("bulk_size", "", "rings.bulk_size"),
    ])
    func nearestKey(name: String, section: String, expected: String) {
        #expect(Keys.nearest(to: name, section: section) == expected)
    }

    @Test(arguments: [
        ("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 1), ("file", "files", 1), ("é", "e", 1), ("abc", "ca", 3),
    ])
    func distance(first: String, second: String, expected: Int) {
        #expect(editDistance(first, second) == expected)
        #expect(editDistance(second, first) == expected)
    }
}

struct RingPlanTests {
    @Test(arguments: [(1, 1, 8 << 20), (2, 2, 4 << 20), (3, 3, 2 << 20), (6, 6, 1 << 20), (8, 8, 1 << 20), (64, 8, 1 << 20)])
    func automaticRingsShareEightMebibytes(cpus: Int, count: Int, size: Int) {
        let plan = RingPlan(Settings(), cpus: cpus)
        #expect(plan.bulkCount == count)
        #expect(plan.bulkSize == size)
        #expect(plan.wakeBytes == size / 4)
        #expect(plan.prioritySize == 512 << 10)
    }

    @Test func whatIsConfiguredIsNotAutomatic() {
        let plan = RingPlan(loaded("rings: {bulk_size: 65536, bulk_count: 15, priority_size: 4KiB, wake_at: 50}").settings, cpus: 2)
        #expect(plan.bulkCount == 15)
        #expect(plan.bulkSize == 65536)
        #expect(plan.prioritySize == 4096)
        #expect(plan.wakeBytes == 32768)
        #expect(RingPlan(loaded("rings: {bulk_count: 15}").settings, cpus: 2).bulkSize == 512 << 10)
    }
}
