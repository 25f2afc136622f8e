{{- define "causeway.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "causeway.selector" -}}
app.kubernetes.io/name: causeway
app.kubernetes.io/instance: {{ .Release.Name }}
causeway.dev/component: operator
{{- end }}

{{- define "causeway.labels" -}}
{{ include "causeway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- /* What the operator may do where the platforms are. */}}
{{- define "causeway.rules" -}}
- apiGroups: [causeway.dev]
  resources: [messageplatforms]
  verbs: [get, list, watch, patch]
- apiGroups: [causeway.dev]
  resources: [messageplatforms/status]
  verbs: [patch]
- apiGroups: [causeway.dev]
  resources: [messageplatforms/finalizers]
  verbs: [update]
- apiGroups: [causeway.dev]
  resources: [zonefailovers]
  # DrillSchedules make them. A finished one is deleted when its ttlSecondsAfterFinished is over, or its schedule keeps no more.
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [causeway.dev]
  resources: [zonefailovers/status, drillschedules/status]
  verbs: [patch]
- apiGroups: [causeway.dev]
  resources: [drillschedules]
  verbs: [get, list, watch]
- apiGroups: [causeway.dev]
  # Its drills are deleted with it, where owners may block their own deletion.
  resources: [drillschedules/finalizers]
  verbs: [update]
- apiGroups: ['']
  resources: [services, configmaps, secrets, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: ['']
  resources: [pods]
  # A pod's annotations say which certificate it serves, and whether it is to be empty; an etcd restarts when it must learn of another authority.
  verbs: [get, list, watch, patch, delete]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [externaldns.k8s.io]
  # Only where a platform asks for a record (spec.gateway.dns); the CRD is external-dns' and need not be there.
  resources: [dnsendpoints]
  verbs: [get, create, patch, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
