{{- define "emr.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* What a Service, a Deployment or a policy selects by; never changes for a release. Call with (dict "root" . "part" "serve"). */}}
{{- define "emr.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "emr.labels" -}}
{{ include "emr.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "emr.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* What every pod of the platform has in common, the migrate job's included. */}}
{{- define "emr.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* Replicas stand on different nodes and in different zones where there are any. */}}
{{- define "emr.spread" -}}
topologySpreadConstraints:
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "emr.selector" $ | nindent 8 }}
{{- end }}
{{- end }}

{{- define "emr.container" -}}
image: {{ include "emr.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* A start may wait for the database; a process that is alive but not ready gets no work. Call with the port's name. */}}
{{- define "emr.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: {{ . }}}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: {{ . }}}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: {{ . }}}
  periodSeconds: 5
  timeoutSeconds: 3
{{- end }}

{{/* Settings that are no secret; the same in every process, so that they agree on what they serve. */}}
{{- define "emr.settings" -}}
EMR_PROFILE: production
EMR_HTTP__BASE_URL: {{ .Values.baseUrl }}
EMR_HTTP__PROXIES: {{ .Values.network.proxies | quote }}
EMR_DATABASE__POOL_SIZE: {{ .Values.database.poolSize | quote }}
EMR_STORAGE__ENDPOINT: {{ .Values.storage.endpoint }}
EMR_STORAGE__SECURE: {{ .Values.storage.secure | quote }}
EMR_STORAGE__REGION: {{ .Values.storage.region }}
EMR_STORAGE__BUCKET: {{ .Values.storage.bucket }}
EMR_ANCHORS__BUCKET: {{ .Values.anchors.bucket }}
EMR_ANCHORS__RETENTION_YEARS: {{ .Values.anchors.retentionYears | quote }}
EMR_IDENTITY__ISSUER: {{ .Values.identity.issuer }}
EMR_IDENTITY__CLIENT_ID: {{ .Values.identity.clientId }}
EMR_TELEMETRY__LOG_LEVEL: {{ .Values.telemetry.logLevel }}
EMR_TELEMETRY__SAMPLE_RATIO: {{ .Values.telemetry.sampleRatio | quote }}
EMR_TELEMETRY__MANAGEMENT_HOST: "0.0.0.0"
EMR_DICOM__HOST: "0.0.0.0"
{{- with .Values.telemetry.otlpEndpoint }}
EMR_TELEMETRY__OTLP_ENDPOINT: {{ . }}
{{- end }}
{{- with .Values.warehouse.url }}
EMR_WAREHOUSE__URL: {{ . }}
{{- end }}
{{- with .Values.warehouse.endpoint }}
EMR_WAREHOUSE__ENDPOINT: {{ . }}
{{- end }}
{{- if and (eq .Values.border.through "service") (not (hasKey .Values.settings "EMR_BORDER__URL")) }}
EMR_BORDER__URL: http://{{ include "emr.name" . }}
{{- end }}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* Which secret files a process sees: setting → [group, key]. Call with (dict "root" . "part" "serve"). */}}
{{- define "emr.secrets" -}}
EMR_DATABASE__URL: [database, url]
{{- if .root.Values.database.cells }}
EMR_DATABASE__CELLS: [database, cells]
{{- end }}
{{- if .root.Values.database.dedicated }}
EMR_DATABASE__DEDICATED: [database, dedicated]
{{- end }}
EMR_STORAGE__ACCESS_KEY: [storage, accessKey]
EMR_STORAGE__SECRET_KEY: [storage, secretKey]
EMR_KEYS__MASTER: [keys, master]
EMR_KEYS__SIGNING: [keys, signing]
EMR_KEYS__SEALING: [keys, sealing]
EMR_IDENTITY__CLIENT_SECRET: [identity, clientSecret]
{{- if has .part (list "worker" "backup" "requests") }}
EMR_KEYS__ANCHOR: [keys, anchor]
{{- end }}
{{- if eq .part "worker" }}
{{- if .root.Values.anchors.existingSecret }}
EMR_ANCHORS__ACCESS_KEY: [anchors, accessKey]
EMR_ANCHORS__SECRET_KEY: [anchors, secretKey]
{{- end }}
{{- end }}
{{- if and (eq .part "worker") .root.Values.warehouse.existingSecret }}
EMR_WAREHOUSE__ACCESS_KEY: [warehouse, accessKey]
EMR_WAREHOUSE__SECRET_KEY: [warehouse, secretKey]
{{- end }}
{{- if has .part (list "migrate" "backup" "requests") }}
EMR_DATABASE__OWNER_URL: [owner, url]
{{- if .root.Values.database.cells }}
EMR_DATABASE__CELL_OWNERS: [owner, cells]
{{- end }}
{{- end }}
{{- if and (has .part (list "migrate" "requests" "serve")) .root.Values.identity.adminUrl }}
EMR_IDENTITY__ADMIN_CLIENT_SECRET: [identity, adminClientSecret]
{{- end }}
{{- end }}

{{/* env: settings as they are, secrets as the files that hold them, so that no secret stands in a process's environment. */}}
{{- define "emr.env" -}}
env:
{{- range $name, $value := include "emr.settings" .root | fromYaml }}
  - name: {{ $name }}
    value: {{ $value | quote }}
{{- end }}
{{- range $name, $at := include "emr.secrets" . | fromYaml }}
  - name: {{ $name }}_FILE
    value: /etc/emr/secrets/{{ index $at 0 }}/{{ index $at 1 }}
{{- end }}
{{- end }}

{{/* Where the identity provider is administered, for the processes that do so. */}}
{{- define "emr.administers" -}}
{{- with .Values.identity }}
{{- if .adminUrl }}
- {name: EMR_IDENTITY__ADMIN_URL, value: {{ .adminUrl | quote }}}
- {name: EMR_IDENTITY__ADMIN_CLIENT_ID, value: {{ .adminClientId | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "emr.mounts" -}}
- {name: temporary, mountPath: /tmp}
- {name: secrets, mountPath: /etc/emr/secrets, readOnly: true}
{{- end }}

{{- define "emr.volumes" -}}
{{- $names := dict "database" .root.Values.database.existingSecret "owner" .root.Values.database.ownerExistingSecret "storage" .root.Values.storage.existingSecret "keys" .root.Values.keys.existingSecret "identity" .root.Values.identity.existingSecret "warehouse" .root.Values.warehouse.existingSecret "anchors" .root.Values.anchors.existingSecret }}
- name: temporary
  emptyDir: {sizeLimit: 2Gi}
- name: secrets
  projected:
    defaultMode: 288  # 0440, as every reader of YAML understands it
    sources:
{{- range $setting, $at := include "emr.secrets" . | fromYaml }}
      - secret:
          name: {{ get $names (index $at 0) }}
          items: [{key: {{ index $at 1 }}, path: {{ index $at 0 }}/{{ index $at 1 }}}]
{{- end }}
{{- end }}

{{/* Who may speak to a process. Images come from the devices that the hospitals' files list. */}}
{{- define "emr.ingress" -}}
{{- with .root.Values.network.metricsFrom }}
- ports: [{port: management, protocol: TCP}]
  from: {{- toYaml . | nindent 4 }}
{{- end }}
{{- if eq .part "serve" }}
{{- with .root.Values.network.httpFrom }}
- ports: [{port: http, protocol: TCP}]
  from: {{- toYaml . | nindent 4 }}
{{- end }}
{{- if eq .root.Values.border.through "service" }}
- ports: [{port: http, protocol: TCP}]
  from:
    - podSelector:
        matchLabels: {{- include "emr.selector" (dict "root" .root "part" "worker") | nindent 10 }}
{{- end }}
{{- end }}
{{- if eq .part "dicom" }}
{{- $devices := list }}
{{- range .root.Values.hospitals }}
{{- range ((.dicom).peers) }}
{{- $devices = append $devices .cidr }}
{{- end }}
{{- end }}
{{- with $devices | uniq | sortAlpha }}
- ports: [{port: dicom, protocol: TCP}]
  from:
{{- range . }}
    - ipBlock: {cidr: {{ . }}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- define "emr.egress" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- if and (eq .part "worker") (eq .root.Values.border.through "service") }}
- ports: [{port: http, protocol: TCP}]
  to:
    - podSelector:
        matchLabels: {{- include "emr.selector" (dict "root" .root "part" "serve") | nindent 10 }}
{{- end }}
{{- with .root.Values.network.egress }}
{{ toYaml . }}
{{- end }}
{{- end }}
