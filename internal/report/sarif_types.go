package report

// The types below are the part of SARIF 2.1.0 (OASIS, errata 01) that reports
// of Bulwark use; comments name the section of the specification.

type sarifLog struct { // 3.13
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct { // 3.14
	Tool                     sarifTool                     `json:"tool"`
	Invocations              []sarifInvocation             `json:"invocations"`
	VersionControlProvenance []sarifVersionControl         `json:"versionControlProvenance,omitempty"`
	OriginalURIBaseIDs       map[string]sarifArtifactPlace `json:"originalUriBaseIds"`
	AutomationDetails        *sarifAutomation              `json:"automationDetails,omitempty"`
	ColumnKind               string                        `json:"columnKind"`
	Results                  []sarifResult                 `json:"results"`
	Properties               map[string]any                `json:"properties,omitempty"`
}

type sarifAutomation struct { // 3.17
	ID string `json:"id"`
}

type sarifTool struct { // 3.18
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct { // 3.19
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct { // 3.49
	ID                   string         `json:"id"`
	Name                 string         `json:"name,omitempty"`
	ShortDescription     sarifText      `json:"shortDescription"`
	FullDescription      sarifText      `json:"fullDescription"`
	Help                 sarifText      `json:"help"`
	HelpURI              string         `json:"helpUri,omitempty"`
	DefaultConfiguration sarifConfig    `json:"defaultConfiguration"`
	Properties           map[string]any `json:"properties,omitempty"`
}

type sarifConfig struct { // 3.50
	Level string `json:"level"`
}

type sarifText struct { // 3.11, 3.12
	Text     string `json:"text"`
	Markdown string `json:"markdown,omitempty"`
}

type sarifInvocation struct { // 3.20
	ExecutionSuccessful bool                `json:"executionSuccessful"`
	StartTimeUTC        string              `json:"startTimeUtc,omitempty"`
	EndTimeUTC          string              `json:"endTimeUtc,omitempty"`
	Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	Properties          map[string]any      `json:"properties,omitempty"`
}

type sarifNotification struct { // 3.58
	Descriptor sarifDescriptor `json:"descriptor"`
	Level      string          `json:"level"`
	Message    sarifText       `json:"message"`
	Locations  []sarifLocation `json:"locations,omitempty"`
}

type sarifDescriptor struct { // 3.52
	ID string `json:"id"`
}

type sarifVersionControl struct { // 3.23
	RepositoryURI string             `json:"repositoryUri"`
	RevisionID    string             `json:"revisionId,omitempty"`
	Branch        string             `json:"branch,omitempty"`
	MappedTo      sarifArtifactPlace `json:"mappedTo"`
}

type sarifArtifactPlace struct { // 3.4
	URI         string     `json:"uri,omitempty"`
	URIBaseID   string     `json:"uriBaseId,omitempty"`
	Description *sarifText `json:"description,omitempty"`
}

type sarifResult struct { // 3.27
	RuleID              string             `json:"ruleId"`
	RuleIndex           *int               `json:"ruleIndex,omitempty"`
	Level               string             `json:"level"`
	Message             sarifText          `json:"message"`
	Locations           []sarifLocation    `json:"locations"`
	RelatedLocations    []sarifLocation    `json:"relatedLocations,omitempty"`
	PartialFingerprints map[string]string  `json:"partialFingerprints"`
	BaselineState       string             `json:"baselineState,omitempty"`
	Suppressions        []sarifSuppression `json:"suppressions,omitempty"`
	Properties          map[string]any     `json:"properties,omitempty"`
}

type sarifLocation struct { // 3.28
	PhysicalLocation sarifPhysical  `json:"physicalLocation"`
	Message          *sarifText     `json:"message,omitempty"`
	Properties       map[string]any `json:"properties,omitempty"`
}

type sarifPhysical struct { // 3.29
	ArtifactLocation sarifArtifactPlace `json:"artifactLocation"`
	Region           *sarifRegion       `json:"region,omitempty"`
	ContextRegion    *sarifRegion       `json:"contextRegion,omitempty"`
}

type sarifRegion struct { // 3.30
	StartLine   int        `json:"startLine"`
	StartColumn int        `json:"startColumn,omitempty"`
	EndLine     int        `json:"endLine,omitempty"`
	EndColumn   int        `json:"endColumn,omitempty"`
	Snippet     *sarifText `json:"snippet,omitempty"`
}

type sarifSuppression struct { // 3.35
	Kind          string         `json:"kind"`
	Status        string         `json:"status"`
	Justification string         `json:"justification,omitempty"`
	Properties    map[string]any `json:"properties,omitempty"`
}
