// What a dashboard and its panels may be, by Grafana's own published types.
import { Dashboard, Panel as AnyPanel } from "@grafana/schema/dist/types/raw/dashboard/x/types.gen";
import { Options as Stat } from "@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen";
import { Options as Table, FieldConfig as TableCustom } from "@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen";
import { Options as Timeline, FieldConfig as TimelineCustom } from "@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/types.gen";
import { Options as Timeseries, FieldConfig as TimeseriesCustom } from "@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen";

export type Board = Dashboard;
export type OnePanel = AnyPanel;
export type StatOptions = Stat;
export type TimeseriesOptions = Timeseries;
export type TimeseriesField = TimeseriesCustom;
export type TimelineOptions = Timeline;
export type TimelineField = TimelineCustom;
export type TableOptions = Table;
export type TableField = TableCustom;
