import { type Detection, severityName } from '@cordon/contracts';
import type { Content } from '@cordon/html';
import type { Incident } from '@cordon/incident';
import { type Frame, page, time } from './layout.ts';
import { html } from './visible.ts';

/**
 * The facts a person decides on. Everything in them may be written by an attacker. Long texts are cut, unless all is
 * asked for, and the cut leads to the whole.
 */
export function facts(incident: Incident, { whole = false } = {}): Content {
  const { detection } = incident;
  const cut = (text: string | undefined, length: number): Content => {
    if (text === undefined || whole || text.length <= length) return text;
    const tail = length / 4; // padding must not push the point of a command out of sight
    const more = html`<a class="more" href="/approvals/${incident.id}/facts">… ${text.length - length} more characters …</a>`;
    return html`${text.slice(0, length - tail)}${more}${text.slice(-tail)}`;
  };
  const process = detection.evidences[0]?.process;
  const parent = process?.parent_process;
  const [, ...others] = incident.findings;
  const link = detection.finding_info.src_url;
  return html`<dl class="facts" data-live="facts">
    ${row('Detection', html`<strong>${detection.finding_info.title}</strong> <span class="severity s${detection.severity_id}">${severityName(detection.severity_id)}</span>`)}
    ${row('Machine', `${incident.hostname}${detection.device.os ? ` (${detection.device.os.name})` : ''}`)}
    ${row('User', process?.user?.name)} ${row('Program', cut(process?.file?.path ?? process?.file?.name, 500))}
    ${row('Command line', process?.cmd_line && html`<pre>${cut(process.cmd_line, 2000)}</pre>`)}
    ${row('Started by', parent && html`<pre>${cut(parent.cmd_line ?? parent.file?.path ?? parent.file?.name, 500)}</pre>`)}
    ${row('SHA-256', hashOf(detection) && html`<code>${hashOf(detection)}</code>`)}
    ${row('When', time(new Date(detection.start_time ?? detection.time).toISOString()))}
    ${row('Detections', incident.detectionCount > 1 && String(incident.detectionCount))}
    ${row(
      'Also seen',
      others.length > 0 &&
        html`<ul>
          ${others.map(
            (finding) =>
              html`<li>
                ${finding.title}${finding.count > 1 && ` (${finding.count} times)`}
                <pre>${cut(finding.commandLine ?? finding.filePath, 200)}</pre>
              </li>`,
          )}${incident.findingsDropped > 0 && html`<li>and ${incident.findingsDropped} more detections</li>`}
        </ul>`,
    )}
    ${row('Addresses', [detection.device.ip, detection.device.external_ip].filter(Boolean).join(', '))}
    ${row('About this rule', cut(detection.finding_info.desc, 500))} ${row('ATT&CK', attacks(detection))}
    ${row('Sensor', html`<code>${incident.endpointId}</code>`)}
    ${row('LimaCharlie', link && html`<a href="${link}" rel="noreferrer noopener" target="_blank">Open the timeline in LimaCharlie</a>`)}
  </dl>`;
}

function row(label: string, value: Content): Content {
  return (
    value &&
    html`<div>
      <dt>${label}</dt>
      <dd>${value}</dd>
    </div>`
  );
}

function hashOf(detection: Detection): string | undefined {
  return detection.evidences[0]?.process?.file?.hashes?.find((hash) => hash.algorithm_id === 3)?.value;
}

function attacks(detection: Detection): string {
  return (detection.finding_info.attacks ?? [])
    .map(
      ({ tactic, technique, sub_technique }) =>
        sub_technique?.uid ?? technique?.uid ?? `${tactic?.name} (${tactic?.uid})`,
    )
    .join(', ');
}

/** Everything in full, for who wants to read what the incident's page cuts. */
export function factsPage(frame: Omit<Frame, 'title'>, incident: Incident): string {
  const title = `What happened on ${incident.hostname}`;
  return page(
    { ...frame, title },
    html`<h1>${title}</h1>
      <p><a href="/approvals/${incident.id}">Back to the incident</a></p>
      ${facts(incident, { whole: true })}`,
  );
}
