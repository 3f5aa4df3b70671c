package nuget

import (
	"testing"

	"bulwark/internal/scanner/sca/extract/collect/collecttest"
)

func FuzzExtract(f *testing.F) {
	f.Add("packages.lock.json", []byte(`{"version":1,"dependencies":{"net8.0":{"A":{"type":"Direct","resolved":"1.0.0"}}}}`))
	f.Add("a.deps.json", []byte(`{"targets":{"t":{"A/1":{"dependencies":{"B":"1"}}}},"libraries":{"A/1":{"type":"project"},"B/1":{"type":"package"}}}`))
	f.Add("a.csproj", []byte(`<Project><ItemGroup><PackageReference Include="A" Version="$(V)"/></ItemGroup></Project>`))
	f.Fuzz(func(t *testing.T, p string, content []byte) {
		if New().Wants(p) {
			collecttest.Check(t, New(), p, content)
		}
	})
}
