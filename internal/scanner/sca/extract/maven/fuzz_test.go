package maven

import (
	"testing"

	"bulwark/internal/scanner/sca/extract/collect/collecttest"
)

func FuzzExtract(f *testing.F) {
	f.Add("pom.xml", []byte("<project><artifactId>a</artifactId><properties><x>${y}</x><y>${x}</y></properties><dependencies><dependency><groupId>g</groupId><artifactId>b</artifactId><version>${x}</version></dependency></dependencies></project>"))
	f.Fuzz(func(t *testing.T, p string, content []byte) {
		if New().Wants(p) {
			collecttest.Check(t, New(), p, content)
		}
	})
}
